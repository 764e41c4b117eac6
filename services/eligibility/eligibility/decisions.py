"""Deciding a group of applications in one transaction: rows locked, rules asked, contracts taken, events announced."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility import appeals, hearing, ranking, review, rules, telling, waits
from eligibility.records import Assessment, Task
from eligibility.rules import Decision
from eligibility.shelf import Shelf
from eligibility.store import assessments, calls, contracts, hearings, tasks
from eligibility.trials import Trial
from kit.backoff import Backoff
from kit.identifiers import uuid7
from kit.outbox import Announcements

_LOOK_AGAIN: Final = timedelta(hours=6)


Found = Mapping[UUID, Mapping[str, Any]]
"""What the registers have answered, by application."""


async def decide_group(
    connection: AsyncConnection, shelf: Shelf, token: UUID, found: Found, retry: Backoff
) -> tuple[list[Assessment], Announcements]:
    """Decide what is still ours and open; return the assessments tried, stored already, and what there is to say."""
    now, held = await assessments.lock_leased(connection, token=token, ids=found.keys())
    looked_at = {key for key, one in held.items() if one.status != "pending"}  # the others have no tasks yet
    announcements = Announcements()
    trials = await _decide(connection, shelf, held, found, now, retry, announcements)
    tried = [trial.assessment for trial in trials]
    await assessments.store_tries(connection, tried)
    await contracts.release(connection, [one.application_id for one in tried if _was_taken_back(one)])
    wanted = [task for trial in trials if (task := _task(trial, now))]
    await tasks.open_all(connection, wanted)
    outcomes = {one.application_id: _came_to(one) for one in tried if one.application_id in looked_at}
    await tasks.close_others(connection, outcomes, wanted)
    return tried, announcements


async def decide_new(
    connection: AsyncConnection,
    shelf: Shelf,
    new: Sequence[Assessment],
    found: Found,
    now: datetime,
    retry: Backoff,
    announcements: Announcements,
) -> list[Assessment]:
    """Decide applications before they are stored; return those tried, to be stored as they are now."""
    trials = await _decide(
        connection, shelf, {one.application_id: one for one in new}, found, now, retry, announcements
    )
    await tasks.open_all(connection, [task for trial in trials if (task := _task(trial, now))])
    return [trial.assessment for trial in trials]


async def _decide(
    connection: AsyncConnection,
    shelf: Shelf,
    held: Mapping[UUID, Assessment],
    found: Found,
    now: datetime,
    retry: Backoff,
    announcements: Announcements,
) -> list[Trial]:
    """Let each assessment be what it comes to, take its contract, say what there is to say; return what was tried.

    First come, first served: a contract that two of them name goes to the one that was submitted first.
    """
    own = await _own_facts(connection, shelf, held.values())
    trials = [_try(shelf, one, {**found[key], **own[key]}, now) for key, one in held.items()]
    trials.sort(key=lambda trial: (trial.assessment.submitted.submitted_at, trial.assessment.application_id))
    trials = await _take_contracts(connection, trials, now)
    await _note_missed_calls(connection, trials)
    for trial in trials:
        announcements.traceparent = trial.assessment.traceparent
        _conclude(trial, now, retry, announcements)
    return trials


def _was_taken_back(assessment: Assessment) -> bool:
    """Return whether an approval was decided anew and rejected: its contract is free again."""
    return assessment.result == "rejected" and assessment.approved_at is not None


def _came_to(assessment: Assessment) -> str:
    """Return why no person is waited for any more: the outcome, or whom it waits for instead."""
    return assessment.waits_for or assessment.result


async def _own_facts(
    connection: AsyncConnection, shelf: Shelf, held: Iterable[Assessment]
) -> dict[UUID, dict[str, Any]]:
    """Return what is known here and nowhere else: who voted, what was said, whether a community is accredited."""
    facts: dict[UUID, dict[str, Any]] = {}
    voted: list[UUID] = []
    named: dict[UUID, str] = {}
    ranked: list[UUID] = []
    heard: list[UUID] = []
    for one in held:
        policy = shelf.find(*one.version, one.submitted.submitted_at).policy
        facts[one.application_id] = {}
        if one.waits_for is not None:  # nobody has said anything of one that was not looked at yet
            heard.append(one.application_id)
        if policy.review.route == "persons":
            voted.append(one.application_id)
        if policy.ranking is not None:
            ranked.append(one.application_id)
        if rules.COMMUNITY in rules.facts_needed(policy):
            named[one.application_id] = str(one.submitted.request.details.get(rules.COMMUNITY, ""))
    placed = await calls.places(connection, ranked) if ranked else {}
    for key, place in placed.items():
        facts[key][ranking.FACT] = place
    votes = await tasks.votes_of(connection, voted) if voted else {}
    for key in voted:
        facts[key][review.FACT] = {"votes": to_builtins(votes.get(key, []))}
    for key, said in (await hearings.statements_of(connection, heard) if heard else {}).items():
        facts[key][hearing.FACT] = hearing.fact_of(said)
    for key, upheld in (await hearings.upheld_of(connection, heard) if heard else {}).items():
        facts[key][appeals.FACT] = appeals.fact_of(upheld)
    accredited = await assessments.accredited(connection, named.values()) if named else set()
    for key, uscc in named.items():
        facts[key][rules.COMMUNITY] = {"uscc": uscc, "accredited": uscc in accredited}
    return facts


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


async def _note_missed_calls(connection: AsyncConnection, trials: Iterable[Trial]) -> None:
    waiting = [trial for trial in trials if _waits_for_panel(trial)]
    ranked = await calls.ranked(connection, {trial.assessment.version for trial in waiting}) if waiting else set()
    for trial in waiting:
        trial.missed_call = trial.assessment.version in ranked


def replay(shelf: Shelf, assessment: Assessment) -> tuple[Decision, bool] | None:
    """Decide again on the frozen facts; return that and whether it is what was decided. None where nothing was."""
    if assessment.status != "decided" or assessment.facts is None or assessment.decided_at is None:
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
        case "approved" | "rejected" if assessment.outcome == "approved":
            announcements.say(telling.reassessed(trial))
        case "approved":
            announcements.say(telling.approved(trial))
        case "rejected":
            announcements.say(telling.rejected(trial))
    assessment.status = "decided"
    assessment.waits_for = None
    assessment.outcome = decision.outcome
    assessment.approved = decision.approved
    assessment.cap_holder = decision.cap_holder
    assessment.decided_at = now
    if decision.outcome == "approved":
        assessment.approved_at = assessment.approved_at or now
    waits.begin(assessment, trial.rulebook.policy.clocks, now)


def _wait(trial: Trial, now: datetime, retry: Backoff, announcements: Announcements) -> None:
    """Try again later, later each time; say who it waits for when that is news."""
    assessment = trial.assessment
    missing = sorted(rules.facts_needed(trial.rulebook.policy) - trial.facts.keys())
    waits_for = _holder(trial, missing)
    news = assessment.waits_for != waits_for
    retry.attempts = assessment.attempts
    assessment.next_try_at = _next_try(trial, now, retry)
    assessment.attempts += 1
    assessment.status = "waiting"
    assessment.waits_for = waits_for
    if news:
        waits.begin(assessment, trial.rulebook.policy.clocks, now)
        announcements.say(telling.review_opened(trial, now, waits_for, missing))


def _holder(trial: Trial, missing: list[str]) -> str:
    standing = trial.decision.standing
    if hearing.open_question(trial.facts) is not None:
        return waits.APPLICANT
    if standing is not None:
        return waits.PUBLIC_NOTICE if standing.outcome == "public_notice" else "officer"
    if trial.missed_call:
        return "officer"
    if _waits_for_panel(trial):
        return waits.PANEL
    handed_over = rules.for_officer(trial.rulebook.policy, missing)
    return "officer" if handed_over else waits.holder(trial.assessment, missing)


def _next_try(trial: Trial, now: datetime, retry: Backoff) -> datetime:
    """A vote wakes an application that waits for one; until then it is only looked at to see whether facts changed."""
    standing = trial.decision.standing
    look_again = now + _LOOK_AGAIN
    if standing is None:
        return look_again if _waits_for_panel(trial) else now + timedelta(seconds=retry.next_seconds())
    return min(standing.until, look_again) if standing.until else look_again


def _waits_for_panel(trial: Trial) -> bool:
    return [reason.code for reason in trial.decision.reasons if reason.outcome == "unknown"] == [ranking.FACT]


def _task(trial: Trial, now: datetime) -> Task | None:
    """Return the task that an officer finds, where one is waited for."""
    assessment = trial.assessment
    if assessment.status != "waiting" or assessment.waits_for != "officer":
        return None
    submitted = assessment.submitted
    return Task(
        task_id=uuid7(),
        kind="review" if trial.decision.standing else "facts",
        application_id=submitted.application_id,
        scheme=submitted.scheme,
        applicant=submitted.applicant,
        opened_at=now,
        due_at=assessment.due_at or now + trial.rulebook.policy.clocks.officer.within,
    )
