"""What each event changes in the projection: one function per event, applied to the batch's working set.

The functions are plain and synchronous; what they may need was loaded, and what they change is stored when all
events of the batch have been applied. Nothing is announced: metrics only listens.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import (
    AppealDecided,
    AppealLodged,
    ApplicationApproved,
    ApplicationLapsed,
    ApplicationReassessed,
    ApplicationRejected,
    ApplicationSubmitted,
    ApplicationWaitlisted,
    ApplicationWithdrawn,
    AwardChanged,
    AwardIssued,
    AwardRefused,
    ClaimPaid,
    ClaimSubmitted,
    ClarificationAnswered,
    ClarificationRequested,
    EnvelopeSet,
    Event,
    PaymentInstructed,
    PolicyPublished,
    ReviewOpened,
    TransferPosted,
)
from kit.logging import get_logger
from kit.messages import Message
from kit.outbox import Announcements
from metrics import store
from metrics.projection import Envelope, Projection
from metrics.rules import books
from metrics.rules.lifecycle import measured, stamp

log = get_logger(__name__)


class Handlers:
    """Applies batches. ``calendar`` is where the programme's days, months and fiscal years begin."""

    def __init__(self, calendar: ZoneInfo) -> None:
        self._calendar = calendar

    async def handle(self, connection: AsyncConnection, messages: Sequence[Message], _now: datetime) -> Announcements:
        """Load the rows under their locks, apply the events in order, store rows and differences."""
        projection = Projection(self._calendar)
        await store.load(connection, projection, [message.data for message in messages])
        for message in messages:
            apply(projection, message.data)
            projection.note_time(message.topic, message.time)
        await store.store(connection, projection)
        return Announcements()


def apply(projection: Projection, event: Event) -> None:
    """Apply one event."""
    SUBSCRIPTIONS[type(event)](projection, event)


# --- the ledger --------------------------------------------------------------------------------------------


def on_transfer_posted(projection: Projection, event: TransferPosted) -> None:
    """Replay the transfer. A broken chain is said aloud and stays visible; what is known is still counted."""
    pool = projection.pool(event.pool)
    found = books.flaw(pool, event)
    if found is not None:
        books.note(pool, found)
        log.error("ledger_chain_broken", pool=event.pool, transfer_id=str(event.transfer_id), reason=found)
    if books.seen(pool, event):
        return
    before = pool.imbalance
    books.replay(pool, event)
    projection.count(event)
    if pool.imbalance != before:
        log.error("pool_imbalanced", pool=event.pool, version=event.version, imbalance_fen=pool.imbalance)


def on_envelope_set(projection: Projection, event: EnvelopeSet) -> None:
    """Keep what was last set for the scheme and year; the order of these events is that of the pool."""
    projection.envelope_years[(event.scheme, event.fiscal_year)] = event.appropriated.amount


def on_policy_published(projection: Projection, event: PolicyPublished) -> None:
    """Keep the policy's envelope and title as last published: the envelope counts until disbursement has set one."""
    policy = event.policy
    amount = policy.envelope.amount if policy.envelope is not None else None
    title = policy.title
    projection.envelopes[event.scheme] = Envelope(event.scheme, event.policy_version, amount, title.zh, title.en)


# --- applications: what intake says ------------------------------------------------------------------------


def on_application_submitted(projection: Projection, event: ApplicationSubmitted) -> None:
    row = projection.application(event)
    row.intake = "submitted"
    row.measures = measured(event.request.details)
    stamp(row, "submitted", event.submitted_at)


def on_application_withdrawn(projection: Projection, event: ApplicationWithdrawn) -> None:
    row = projection.application(event)
    row.intake = "withdrawn"
    stamp(row, "withdrawn", event.occurred_at)


def on_application_lapsed(projection: Projection, event: ApplicationLapsed) -> None:
    row = projection.application(event)
    row.intake = "lapsed"
    stamp(row, "lapsed", event.occurred_at)


def on_clarification_answered(projection: Projection, event: ClarificationAnswered) -> None:
    projection.application(event).clarifications -= 1


def on_appeal_lodged(projection: Projection, event: AppealLodged) -> None:
    projection.application(event).appeals += 1


# --- applications: what eligibility says -------------------------------------------------------------------


def on_clarification_requested(projection: Projection, event: ClarificationRequested) -> None:
    row = projection.application(event)
    row.eligibility = "clarifying"
    row.clarifications += 1


_REVIEWED_BY: Final = {"registers": "assessing", "public_notice": "public_notice"}


def on_review_opened(projection: Projection, event: ReviewOpened) -> None:
    status = _REVIEWED_BY.get(event.holder, "in_review")  # intake shows it so, too
    projection.application(event).eligibility = status


def on_application_approved(projection: Projection, event: ApplicationApproved) -> None:
    row = projection.application(event)
    row.eligibility = "approved"
    stamp(row, "submitted", event.submitted_at)
    stamp(row, "approved", event.occurred_at)


def on_application_rejected(projection: Projection, event: ApplicationRejected) -> None:
    row = projection.application(event)
    row.eligibility = "rejected"
    stamp(row, "submitted", event.submitted_at)
    stamp(row, "rejected", event.occurred_at)


def on_application_reassessed(projection: Projection, event: ApplicationReassessed) -> None:
    """The last decision counts. Its stages are not timed: they were, when it was decided first."""
    projection.application(event).eligibility = event.outcome


def on_appeal_decided(projection: Projection, event: AppealDecided) -> None:
    """An appeal that is upheld opens the application again; its decision follows."""
    row = projection.application(event)
    row.appeals -= 1
    if event.upheld:
        row.eligibility = "assessing"


# --- applications: what disbursement says ------------------------------------------------------------------


def on_award_issued(projection: Projection, event: AwardIssued) -> None:
    row = projection.application(event)
    row.disbursement = "awarded"
    row.awarded += event.awarded.amount
    stamp(row, "awarded", event.occurred_at)


def on_award_changed(projection: Projection, event: AwardChanged) -> None:
    projection.application(event).awarded += event.added.amount


def on_application_waitlisted(projection: Projection, event: ApplicationWaitlisted) -> None:
    row = projection.application(event)
    row.disbursement = "waitlisted"
    row.waits_for_pool, row.waits_for = event.pool, event.approved.amount
    stamp(row, "waitlisted", event.occurred_at)


def on_award_refused(projection: Projection, event: AwardRefused) -> None:
    row = projection.application(event)
    row.disbursement = "refused"
    stamp(row, "refused", event.occurred_at)


# --- claims ------------------------------------------------------------------------------------------------


def on_claim_submitted(projection: Projection, event: ClaimSubmitted) -> None:
    stamp(projection.claim(event.claim_id, event.scheme), "submitted", event.submitted_at)
    stamp(projection.application(event), "claimed", event.submitted_at)


def on_payment_instructed(projection: Projection, event: PaymentInstructed) -> None:
    """A payment that is instructed again after a return keeps its first time."""
    stamp(projection.claim(event.claim_id, event.scheme), "instructed", event.instructed_at)


def on_claim_paid(projection: Projection, event: ClaimPaid) -> None:
    stamp(projection.claim(event.claim_id, event.scheme), "settled", event.settled_at)
    stamp(projection.application(event), "paid", event.settled_at)


# --- the map of the service: which event goes where ----------------------------------------------------------

SUBSCRIPTIONS: Final[dict[type[Event], Callable[[Projection, Any], None]]] = {
    ApplicationSubmitted: on_application_submitted,
    ApplicationWithdrawn: on_application_withdrawn,
    ApplicationLapsed: on_application_lapsed,
    ClarificationAnswered: on_clarification_answered,
    AppealLodged: on_appeal_lodged,
    ClaimSubmitted: on_claim_submitted,
    PolicyPublished: on_policy_published,
    ClarificationRequested: on_clarification_requested,
    ReviewOpened: on_review_opened,
    ApplicationApproved: on_application_approved,
    ApplicationRejected: on_application_rejected,
    ApplicationReassessed: on_application_reassessed,
    AppealDecided: on_appeal_decided,
    AwardIssued: on_award_issued,
    AwardChanged: on_award_changed,
    ApplicationWaitlisted: on_application_waitlisted,
    AwardRefused: on_award_refused,
    ClaimPaid: on_claim_paid,
    PaymentInstructed: on_payment_instructed,
    TransferPosted: on_transfer_posted,
    EnvelopeSet: on_envelope_set,
}
