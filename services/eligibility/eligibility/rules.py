"""You are where an application is decided: facts and a time in, a decision and its reasons out.

Pure: the same inputs give the same decision, years later too. That is what a replay relies on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from contracts.codec import to_builtins
from contracts.common import Outcome, Reason, Text
from contracts.events import ApplicationSubmitted
from contracts.money import Money, share
from contracts.policy import Criterion, Policy
from eligibility import support, texts

Facts = Mapping[str, Mapping[str, Any]]
Variables = Mapping[str, Any]

REGISTERS: Final = ("business_registration", "credit_record", "related_companies", "provider")
RELATED: Final = "related_companies"
PROVIDER: Final = "provider"
CONTRACT_SUPPORT: Final = "contract_support"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A policy with its criteria made ready to be evaluated.

    ``evaluate`` gives, for every criterion's id, whether it holds over the variables; None where that can't be told.
    """

    policy: Policy
    evaluate: Callable[[Variables], Mapping[str, bool | None]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say. ``approved`` and ``cap_holder`` are set when the outcome is ``approved``."""

    outcome: Literal["approved", "rejected", "undecided"]
    reasons: tuple[Reason, ...]
    approved: Money | None
    cap_holder: str | None
    decided_at: datetime


def facts_needed(policy: Policy) -> frozenset[str]:
    """Return the registers that a decision under this policy asks; the cap group is always among the facts."""
    return frozenset({RELATED, *(fact for criterion in policy.criteria for fact in criterion.facts)})


def decide(rulebook: Rulebook, application: ApplicationSubmitted, facts: Facts, now: datetime) -> Decision:
    """Decide an application on what is known.

    One condition that is not met rejects, whatever else is still unknown; only with every condition met does it
    approve. Anything else stays undecided: never a guess.
    """
    policy = rulebook.policy
    approved = _approved(policy, application)
    reasons = (
        *_frame(policy, application, approved),
        *_criteria(rulebook, application, facts),
        *_support(application, facts),
    )
    outcomes = {reason.outcome for reason in reasons}
    if "not_met" in outcomes:
        return Decision("rejected", reasons, None, None, now)
    if "unknown" in outcomes:
        return Decision("undecided", reasons, None, None, now)
    return Decision("approved", reasons, approved, str(facts[RELATED]["group"]), now)


def variables(application: ApplicationSubmitted, facts: Facts) -> dict[str, Any]:
    """Return what a criterion's expression may name: the known facts, the request and the company, as in JSON."""
    return {
        **{name: facts[name] for name in REGISTERS if name in facts},
        "request": to_builtins(application.request),
        "company": to_builtins(application.company),
    }


def _approved(policy: Policy, application: ApplicationSubmitted) -> Money:
    """The rate of what is asked for, rounded down. Caps and other limits bite where the money is: in disbursement."""
    asked = application.request.money
    return Money(share(asked.amount, policy.rate), asked.currency)


# --- what the policy document says outside of its criteria ---------------------------------------------------


def _frame(policy: Policy, application: ApplicationSubmitted, approved: Money) -> Iterable[Reason]:
    submitted_on = application.submitted_at.astimezone(ZoneInfo(policy.timezone)).date()
    yield texts.condition("window-open", holds=policy.open_at(application.submitted_at))
    yield texts.condition("policy-effective", holds=policy.effective_from <= submitted_on <= policy.effective_until)
    yield texts.condition("district-listed", holds=application.district in policy.districts)
    if policy.pool is not None:
        yield texts.condition("amount-payable", holds=approved.amount > 0)
    if policy.claims.seller_is_provider:
        yield texts.condition("contract-given", holds=application.request.contract is not None)
    if policy.stack_limit is not None:
        yield texts.condition("other-support-readable", holds=support.other_support(application.request) is not None)


# --- its criteria ------------------------------------------------------------------------------------------


def _criteria(rulebook: Rulebook, application: ApplicationSubmitted, facts: Facts) -> Iterable[Reason]:
    holds = rulebook.evaluate(variables(application, facts))
    for criterion in rulebook.policy.criteria:
        known = all(fact in facts for fact in criterion.facts)
        outcome = _outcome(holds[criterion.id] if known else None)
        yield Reason(criterion.id, criterion.clause, outcome, _text(criterion, outcome))
    if RELATED not in facts:
        yield Reason("cap-group", "cap", "unknown", texts.CAP_GROUP_UNKNOWN)


def _outcome(holds: bool | None) -> Outcome:
    match holds:
        case None:
            return "unknown"
        case True:
            return "met"
        case False:
            return "not_met"


def _text(criterion: Criterion, outcome: Outcome) -> Text:
    return {"met": criterion.met, "not_met": criterion.not_met, "unknown": texts.UNKNOWN}[outcome]


# --- a contract counts once in a scheme ----------------------------------------------------------------------


def _support(application: ApplicationSubmitted, facts: Facts) -> Iterable[Reason]:
    """The fact is there once the contract was claimed for an application that would be approved otherwise."""
    if CONTRACT_SUPPORT in facts:
        holder = facts[CONTRACT_SUPPORT]["held_by"]
        yield texts.condition("contract-already-supported", holds=holder == str(application.application_id))
