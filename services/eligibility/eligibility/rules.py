"""You are where an application is decided: facts and a time in, a decision and its reasons out.

Pure: the same inputs give the same decision, years later too. That is what a replay relies on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from contracts.codec import to_builtins
from contracts.common import Outcome, Reason, Text
from contracts.events import ApplicationSubmitted
from contracts.money import Money, share
from contracts.policy import Criterion, Policy, Tier
from eligibility import appeals, hearing, ranking, review, support, texts
from eligibility.review import Standing

Facts = Mapping[str, Mapping[str, Any]]
Variables = Mapping[str, Any]

REGISTERS: Final = ("business_registration", "credit_record", "related_companies", "provider")
RELATED: Final = "related_companies"
PROVIDER: Final = "provider"
COMMUNITY: Final = "community"  # whether the community that an application names is accredited: known here
FACTS: Final = (*REGISTERS, COMMUNITY)
CONTRACT_SUPPORT: Final = "contract_support"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A policy with its expressions made ready to be evaluated.

    ``evaluate`` gives whether each criterion and each tier holds over the variables, by its id and by
    ``tier_name``; None where that can't be told.
    """

    policy: Policy
    evaluate: Callable[[Variables], Mapping[str, bool | None]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say. ``approved`` and ``cap_holder`` are set when the outcome is ``approved``.

    ``rate`` is the share of each verified expense that is paid: the policy's, or that of the tier that applies.
    ``standing`` is where the persons' review stands, once everything else is met.
    """

    outcome: Literal["approved", "rejected", "undecided"]
    reasons: tuple[Reason, ...]
    approved: Money | None
    cap_holder: str | None
    rate: int
    decided_at: datetime
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How much a policy gives: ``rate`` of what is asked for, at most ``most``; ``reason`` is the tier's, if any."""

    rate: int
    most: int | None
    reason: Reason | None


def facts_needed(policy: Policy) -> frozenset[str]:
    """Return the registers that a decision under this policy asks; the cap group is always among the facts."""
    conditions: tuple[Criterion | Tier, ...] = (*policy.criteria, *policy.tiers)
    return frozenset({RELATED, *(fact for condition in conditions for fact in condition.facts)})


def to_be_asked(policy: Policy, application: ApplicationSubmitted) -> dict[str, str]:
    """Return which register to ask about which company: the provider of the contract, otherwise the applicant."""
    codes = dict.fromkeys(sorted(facts_needed(policy) - {COMMUNITY}), application.applicant)
    contract = application.request.contract
    if contract is None:
        codes.pop(PROVIDER, None)
    elif PROVIDER in codes:
        codes[PROVIDER] = contract.provider
    return codes


def for_officer(policy: Policy, missing: Iterable[str]) -> bool:
    """Return whether one of these missing facts is one that an officer sees to at once, as the policy says."""
    lacking = set(missing)
    return any(criterion.unknown == "officer" and lacking & set(criterion.facts) for criterion in policy.criteria)


def tier_name(identifier: str) -> str:
    return f"tiers/{identifier}"


def decide(rulebook: Rulebook, application: ApplicationSubmitted, facts: Facts, now: datetime) -> Decision:
    """Decide an application on what is known.

    One condition that is not met rejects, whatever else is still unknown; only with every condition met does it
    approve. Anything else stays undecided: never a guess.
    """
    policy, upheld = rulebook.policy, appeals.upheld_in(facts)
    holds = rulebook.evaluate(variables(policy, application, facts))
    level = _level(policy, holds, facts)
    approved = _approved(level, application)
    conditions = (
        *_frame(policy, application, approved),
        *_criteria(policy, holds, facts),
        *([level.reason] if level.reason else []),
        *_support(application, facts),
    )
    reasons = appeals.apply(conditions, upheld)
    if policy.ranking is not None and all(reason.outcome == "met" for reason in reasons):
        place = facts.get(ranking.FACT)
        reasons = (*reasons, ranking.reason(place))
        approved = Money(ranking.allocated(place), approved.currency) if place else approved
    standing = None
    if upheld is not None:
        reasons = (*reasons, appeals.reason(upheld.words, upheld=True))
        approved = Money(min(approved.amount, upheld.amount), approved.currency)
    settled = upheld is not None and not hearing.doubted_since(facts, upheld.at)
    if policy.review.route == "persons" and not settled and all(reason.outcome == "met" for reason in reasons):
        standing = review.standing(policy.review, approved.amount, review.votes_in(facts), seen_by_persons(facts), now)
        reasons = (*reasons, *review.reasons(policy.review, standing))
        approved = Money(standing.amount, approved.currency)
    outcomes = {reason.outcome for reason in reasons}
    if "not_met" in outcomes:
        return Decision("rejected", reasons, None, None, level.rate, now, standing)
    if "unknown" in outcomes:
        return Decision("undecided", reasons, None, None, level.rate, now, standing)
    return Decision("approved", reasons, approved, str(facts[RELATED]["group"]), level.rate, now, standing)


def seen_by_persons(facts: Facts) -> str:
    """Return the hash of the facts that a person's vote counts for."""
    return review.hash_of(_shown(facts))


def _shown(facts: Facts) -> Facts:
    """Who holds the contract is settled after the votes, so it is not what they are given on."""
    return {name: fact for name, fact in facts.items() if name != CONTRACT_SUPPORT}


def computed(rulebook: Rulebook, application: ApplicationSubmitted, facts: Facts) -> Money:
    """Return what the policy's tiers and limits give for what is asked, whether or not its criteria are met."""
    holds = rulebook.evaluate(variables(rulebook.policy, application, facts))
    return _approved(_level(rulebook.policy, holds, facts), application)


def variables(policy: Policy, application: ApplicationSubmitted, facts: Facts) -> dict[str, Any]:
    """Return what an expression may name: the known facts, the request and the company as in JSON, the day."""
    return {
        **{name: facts[name] for name in FACTS if name in facts},
        "request": to_builtins(application.request),
        "company": to_builtins(application.company),
        "submitted_on": _submitted_on(policy, application).isoformat(),
    }


def _submitted_on(policy: Policy, application: ApplicationSubmitted) -> date:
    return application.submitted_at.astimezone(ZoneInfo(policy.timezone)).date()


# --- how much ------------------------------------------------------------------------------------------------


def _level(policy: Policy, holds: Mapping[str, bool | None], facts: Facts) -> Level:
    """Return the first tier that holds. One that can't be judged stops the search: a later one would be a guess."""
    if not policy.tiers:
        return Level(policy.rate, _least(policy.most), None)
    for tier in policy.tiers:
        known = all(fact in facts for fact in tier.facts)
        outcome = _outcome(holds[tier_name(tier.id)] if known else None)
        if outcome == "unknown":
            return Level(policy.rate, _least(policy.most), Reason("tier", tier.clause, outcome, texts.UNKNOWN))
        if outcome == "met":
            return Level(tier.rate, _least(policy.most, tier.most), Reason("tier", tier.clause, outcome, tier.text))
    return Level(policy.rate, _least(policy.most), texts.condition("tier", holds=False))


def _least(*limits: Money | None) -> int | None:
    return min((limit.amount for limit in limits if limit is not None), default=None)


def _approved(level: Level, application: ApplicationSubmitted) -> Money:
    """The rate of what is asked for, rounded down. Caps and other limits bite where the money is: in disbursement."""
    asked = application.request.money
    amount = share(asked.amount, level.rate)
    return Money(amount if level.most is None else min(amount, level.most), asked.currency)


# --- what the policy document says outside of its criteria ---------------------------------------------------


def _frame(policy: Policy, application: ApplicationSubmitted, approved: Money) -> Iterable[Reason]:
    submitted_on = _submitted_on(policy, application)
    yield texts.condition("window-open", holds=policy.open_at(application.submitted_at))
    yield texts.condition("policy-effective", holds=policy.effective_from <= submitted_on <= policy.effective_until)
    yield texts.condition("district-listed", holds=application.district in policy.districts)
    if policy.pool is not None:
        yield texts.condition("amount-payable", holds=approved.amount > 0)
    if policy.contract == "required":
        yield texts.condition("contract-given", holds=application.request.contract is not None)
    if policy.stack_limit is not None:
        yield texts.condition("other-support-readable", holds=support.other_support(application.request) is not None)


# --- its criteria ------------------------------------------------------------------------------------------


def _criteria(policy: Policy, holds: Mapping[str, bool | None], facts: Facts) -> Iterable[Reason]:
    for criterion in policy.criteria:
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
