"""What happens here when something has happened at intake: one function per event, applied to the batch's working set.

The functions are plain and synchronous: everything they may need was loaded under its locks, and what they change is
stored when all events of the batch have been applied. Applications are taken in here. Where the outside registers have
answered already they are decided at once (``handover``); mostly the assessor decides them, because it has to ask first.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import (
    AppealLodged,
    ApplicationLapsed,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    ClaimSubmitted,
    ClaimWithdrawn,
    ClarificationAnswered,
    Event,
)
from eligibility import waits
from eligibility.appeals import Lodged
from eligibility.claim_rules import InvoiceKey, counted_keys
from eligibility.claiming import community_of, on_claim_submitted, on_claim_withdrawn
from eligibility.handover import Handover
from eligibility.hearing import Statement
from eligibility.records import Assessment, Taken, Task, WorkingSet
from eligibility.shelf import Shelf
from eligibility.store import assessments, claims, contracts, hearings, policies, tasks
from kit.identifiers import uuid7
from kit.logging import get_logger
from kit.messages import Message
from kit.outbox import Announcements
from kit.rows import Writes

log = get_logger(__name__)


async def handle(
    shelf: Shelf,
    handover: Handover | None,
    connection: AsyncConnection,
    messages: Sequence[Message],
    now: datetime,
) -> Announcements:
    """Apply a batch: load what it touches, apply each event in order, store what has changed."""
    work = await _load(shelf, connection, [message.data for message in messages], now)
    for message in messages:
        work.announcements.traceparent = message.traceparent
        SUBSCRIPTIONS[type(message.data)](message.data, work)
    fresh = [work.assessments[one] for one in sorted(work.submitted)]
    lease = await handover.take_in(connection, work.announcements, fresh, now) if handover is not None else None
    work.announcements.writes = Writes(connection)
    assessments.add(work.announcements.writes, fresh, lease)
    if work.is_more_than_new:
        await work.announcements.make_writes()  # what is stored next is about them
        await _store(connection, work)
    return work.announcements


# --- applications ------------------------------------------------------------------------------------------


def on_application_submitted(event: ApplicationSubmitted, work: WorkingSet) -> None:
    """Take the application in, under the policy version that it was submitted under; it is due at once."""
    if event.application_id in work.assessments:
        log.warning("submitted_again", application_id=str(event.application_id))
        return
    policy = work.shelf.find(event.scheme, event.policy_version, event.submitted_at).policy
    if policy.version != event.policy_version:
        log.warning("policy_version_not_recorded", scheme=event.scheme, named=event.policy_version, used=policy.version)
    assessment = Assessment(
        application_id=event.application_id,
        policy_version=policy.version,
        submitted=event,
        traceparent=work.announcements.traceparent,
        next_try_at=work.now,
    )
    waits.begin(assessment, policy.clocks, work.now)
    work.assessments[event.application_id] = assessment
    work.submitted.add(event.application_id)


def on_application_ended(event: ApplicationWithdrawn | ApplicationLapsed, work: WorkingSet) -> None:
    """Stop the assessment: no decision follows. A contract that the application held is free again."""
    assessment = work.assessments.get(event.application_id)
    if assessment is None:
        log.info("ended_before_submission", application_id=str(event.application_id))  # a draft was thrown away
        return
    assessment.status = "withdrawn"
    assessment.due_at = None
    work.withdrawn.add(event.application_id)


def on_clarification_answered(event: ClarificationAnswered, work: WorkingSet) -> None:
    """Keep the answer, and look at the application at once: the officers' clock goes on."""
    if event.application_id not in work.assessments:
        log.warning("answer_to_nothing", application_id=str(event.application_id))
        return
    statement = Statement(kind="answer", by=event.applicant, words=event.answer, at=event.occurred_at)
    work.statements.append((event.application_id, statement))


def on_appeal_lodged(event: AppealLodged, work: WorkingSet) -> None:
    """Have persons decide the appeal who had no part in the rejection."""
    assessment = work.assessments.get(event.application_id)
    if assessment is None or assessment.result != "rejected":
        log.warning("appeal_against_nothing", application_id=str(event.application_id))
        return
    work.appeals[event.application_id] = Lodged(grounds=event.grounds, lodged_at=event.occurred_at)
    policy = work.shelf.find(*assessment.version, assessment.submitted.submitted_at).policy
    work.tasks.append(
        Task(
            task_id=uuid7(),
            kind="appeal",
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            opened_at=work.now,
            due_at=work.now + policy.clocks.appeal.within,
        )
    )


# --- the working set: loaded in the order of the locks, stored at the end -------------------------------------


async def _load(shelf: Shelf, connection: AsyncConnection, events: Sequence[Any], now: datetime) -> WorkingSet:
    known = await assessments.lock(connection, [event.application_id for event in events])
    versions = [one.version for one in known.values()]
    versions += [(event.scheme, event.policy_version) for event in events if isinstance(event, ApplicationSubmitted)]
    await policies.stock(connection, shelf, versions)
    claim_events = [event for event in events if isinstance(event, ClaimSubmitted | ClaimWithdrawn)]
    communities = {
        named
        for event in events
        if isinstance(event, ClaimSubmitted) and event.application_id in known
        if (named := community_of(event, known[event.application_id], shelf)) is not None
    }
    claimed = await claims.load(connection, [event.claim_id for event in claim_events])
    wanted = _invoices_of(events)
    holders = await claims.reserve_invoices(connection, wanted)
    return WorkingSet(
        now=now,
        shelf=shelf,
        assessments=known,
        claims=claimed,
        holders=holders,
        reserved={key: holders[key] or claim for key, claim in wanted.items()},
        announcements=Taken(),
        accredited=await assessments.accredited(connection, communities) if communities else set(),
    )


def _invoices_of(events: Sequence[Any]) -> dict[InvoiceKey, UUID]:
    return {key: event.claim_id for event in events if isinstance(event, ClaimSubmitted) for key in counted_keys(event)}


async def _store(connection: AsyncConnection, work: WorkingSet) -> None:
    await assessments.withdraw(connection, work.withdrawn - work.submitted)
    await contracts.release(connection, work.withdrawn)
    await claims.save(connection, [work.claims[one] for one in sorted(work.changed_claims)])
    await claims.hold_invoices(connection, work.holders, work.reserved)
    await claims.free(connection, work.freed_claims)
    await hearings.say(connection, work.statements)
    await hearings.lodge(connection, work.appeals)
    for application_id, _ in work.statements:
        await tasks.wake(connection, application_id)
    await tasks.open_all(connection, work.tasks)
    await tasks.close_all(connection, dict.fromkeys([*work.withdrawn, *work.freed_claims], "withdrawn"))


SUBSCRIPTIONS: Final[dict[type[Event], Callable[[Any, WorkingSet], None]]] = {
    ApplicationSubmitted: on_application_submitted,
    ApplicationWithdrawn: on_application_ended,
    ApplicationLapsed: on_application_ended,
    ClarificationAnswered: on_clarification_answered,
    AppealLodged: on_appeal_lodged,
    ClaimSubmitted: on_claim_submitted,
    ClaimWithdrawn: on_claim_withdrawn,
}
