"""Deciding a group of applications in one transaction: rows locked, rules asked, contracts taken, events announced."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import ApplicationApproved, ApplicationRejected, ReviewOpened
from contracts.policy import Policy
from eligibility import rules, support, texts, waits
from eligibility.records import Assessment
from eligibility.rules import Decision, Rulebook
from eligibility.shelf import Shelf
from eligibility.store import assessments, contracts
from kit.backoff import Backoff
from kit.outbox import Announcements


class Trial(msgspec.Struct):
    """One application with the facts it is decided on, and what the rules said last."""

    assessment: Assessment
    rulebook: Rulebook
    facts: dict[str, dict[str, Any]]
    decision: Decision

    @property
    def contract(self) -> contracts.Key | None:
        submitted = self.assessment.submitted
        contract = submitted.request.contract
        return None if contract is None else contracts.key_of(submitted.scheme, contract)


async def decide_group(
    connection: AsyncConnection, shelf: Shelf, token: UUID, found: Mapping[UUID, dict[str, Any]], retry: Backoff
) -> tuple[list[Assessment], Announcements]:
    """Decide what is still ours and open; return the assessments tried, stored already, and what there is to say.

    First come, first served: a contract that two of them name goes to the one that was submitted first.
    """
    now, held = await assessments.lock_leased(connection, token=token, ids=found.keys())
    trials = [_try(shelf, one, found[one.application_id], now) for one in held.values()]
    trials.sort(key=lambda trial: (trial.assessment.submitted.submitted_at, trial.assessment.application_id))
    trials = await _take_contracts(connection, trials, now)
    announcements = Announcements()
    for trial in trials:
        announcements.traceparent = trial.assessment.traceparent
        _conclude(trial, now, retry, announcements)
    tried = [trial.assessment for trial in trials]
    await assessments.store_tries(connection, tried)
    return tried, announcements


def _try(shelf: Shelf, assessment: Assessment, facts: Mapping[str, Any], now: datetime) -> Trial:
    submitted = assessment.submitted
    rulebook = shelf.find(*assessment.version, submitted.submitted_at)
    return Trial(assessment, rulebook, dict(facts), rules.decide(rulebook, submitted, facts, now))


async def _take_contracts(connection: AsyncConnection, trials: Iterable[Trial], now: datetime) -> list[Trial]:
    """Take the contract of each application that would be approved, and decide it again knowing who holds it.

    Left out is an application whose contract another transaction released just now: it is tried again at once.
    """
    wanted: dict[contracts.Key, UUID] = {}
    for trial in trials:
        if trial.decision.outcome == "approved" and trial.contract is not None:
            wanted.setdefault(trial.contract, trial.assessment.application_id)
    holders = await contracts.take(connection, wanted)
    for trial in trials:
        if trial.contract in holders and trial.decision.outcome == "approved":
            trial.facts[rules.CONTRACT_SUPPORT] = {"held_by": str(holders[trial.contract])}
            trial.decision = rules.decide(trial.rulebook, trial.assessment.submitted, trial.facts, now)
    gone = wanted.keys() - holders.keys()
    return [trial for trial in trials if trial.contract not in gone or trial.decision.outcome != "approved"]


def replay(shelf: Shelf, assessment: Assessment) -> tuple[Decision, bool] | None:
    """Decide again on the frozen facts; return that and whether it is what was decided. None where nothing was."""
    if assessment.outcome is None or assessment.facts is None or assessment.decided_at is None:
        return None
    submitted = assessment.submitted
    rulebook = shelf.find(*assessment.version, submitted.submitted_at)
    again = rules.decide(rulebook, submitted, assessment.facts, assessment.decided_at)
    recorded = (assessment.outcome, assessment.reasons, assessment.approved, assessment.cap_holder)
    return again, recorded == (again.outcome, again.reasons, again.approved, again.cap_holder)


# --- what becomes of a trial ---------------------------------------------------------------------------------


def _conclude(trial: Trial, now: datetime, retry: Backoff, announcements: Announcements) -> None:
    assessment, decision = trial.assessment, trial.decision
    assessment.facts = trial.facts
    assessment.reasons = decision.reasons
    match decision.outcome:
        case "undecided":
            _wait(trial, now, retry, announcements)
            return
        case "approved":
            announcements.say(_approved(trial))
        case "rejected":
            announcements.say(_rejected(trial))
    assessment.status = "decided"
    assessment.waits_for = None
    assessment.outcome = decision.outcome
    assessment.approved = decision.approved
    assessment.cap_holder = decision.cap_holder
    assessment.decided_at = now
    waits.begin(assessment, trial.rulebook.policy.clocks, now)


def _wait(trial: Trial, now: datetime, retry: Backoff, announcements: Announcements) -> None:
    """Try again later, later each time; say who it waits for when that is news."""
    assessment = trial.assessment
    missing = sorted(rules.facts_needed(trial.rulebook.policy) - trial.facts.keys())
    handed_over = rules.for_officer(trial.rulebook.policy, missing)
    waits_for = "officer" if handed_over else waits.holder(assessment, missing)
    news = assessment.waits_for != waits_for
    retry.attempts = assessment.attempts
    assessment.next_try_at = now + timedelta(seconds=retry.next_seconds())
    assessment.attempts += 1
    assessment.status = "waiting"
    assessment.waits_for = waits_for
    if news:
        waits.begin(assessment, trial.rulebook.policy.clocks, now)
        announcements.say(_review_opened(trial, now, waits_for, missing))


def _review_opened(trial: Trial, now: datetime, holder: str, missing: list[str]) -> ReviewOpened:
    submitted = trial.assessment.submitted
    return ReviewOpened(
        occurred_at=now,
        application_id=submitted.application_id,
        scheme=submitted.scheme,
        applicant=submitted.applicant,
        waiting_for=texts.waiting_for_registers(missing) if missing else texts.WAITING_FOR_OFFICER,
        holder=holder,
    )


def _approved(trial: Trial) -> ApplicationApproved:
    submitted, decision, policy = trial.assessment.submitted, trial.decision, trial.rulebook.policy
    assert decision.approved is not None, "an approval has an amount"
    assert decision.cap_holder is not None, "an approval has a cap holder"
    return ApplicationApproved(
        **_common(trial, policy),
        pool=policy.pool,
        kind=policy.kind,
        approved=decision.approved,
        rate=decision.rate,
        cap_holder=decision.cap_holder,
        cap_members=support.cap_members(submitted.applicant, trial.facts[rules.RELATED]),
        creditor=submitted.company.account,
        contract=submitted.request.contract,
        stack=support.stack(policy, submitted.request),
    )


def _rejected(trial: Trial) -> ApplicationRejected:
    return ApplicationRejected(**_common(trial, trial.rulebook.policy))


def _common(trial: Trial, policy: Policy) -> dict[str, Any]:
    submitted, decision = trial.assessment.submitted, trial.decision
    return {
        "occurred_at": decision.decided_at,
        "application_id": submitted.application_id,
        "scheme": submitted.scheme,
        "applicant": submitted.applicant,
        "district": submitted.district,
        "policy_version": policy.version,
        "provisional": policy.provisional,
        "reasons": decision.reasons,
        "submitted_at": submitted.submitted_at,
    }
