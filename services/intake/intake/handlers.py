"""What intake does when others have decided: one function per event, which keeps the portal's stored state true.

Decisions, awards and demands come on three topics, whose order between them is not given. So each event only adds the
fact that it carries, and ``rules.status_of`` says what all facts amount to. Of applications here, of awards and claims
in ``awards`` and ``claims``; the map is at the foot.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import (
    AppealDecided,
    ApplicationApproved,
    ApplicationEvent,
    ApplicationReassessed,
    ApplicationRejected,
    ApplicationWaitlisted,
    AwardChanged,
    AwardClosed,
    AwardExpired,
    AwardExpiryAnnounced,
    AwardIssued,
    AwardRecovered,
    AwardRefused,
    AwardRevoked,
    ClaimCancelled,
    ClaimEvent,
    ClaimInstructed,
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimRejected,
    ClaimUnpaid,
    ClaimVerified,
    ClarificationRequested,
    Event,
    PolicyPublished,
    RecoveryClosed,
    RecoveryDemanded,
    ReviewOpened,
)
from intake import awards, claims, hearing
from intake.desk import Desk
from intake.heard import application_of, changed
from kit.messages import Message
from kit.outbox import Announcements
from kit.sealing import keyring_of


async def handle(connection: AsyncConnection, messages: Sequence[Message], now: datetime) -> Announcements:
    """Apply a batch: lock and load the applications spoken of, apply each event in order, store them."""
    desk = Desk(now, keyring_of(connection))
    events = [message.data for message in messages]
    await desk.load_policies(connection)
    await desk.load_applications(
        connection, [event.application_id for event in events if isinstance(event, ApplicationEvent)]
    )
    await desk.load_claims(connection, [event.claim_id for event in events if isinstance(event, ClaimEvent)])
    for event in events:
        SUBSCRIPTIONS[type(event)](desk, event)
    await desk.store(connection)
    return desk.said


def on_policy_published(desk: Desk, event: PolicyPublished) -> None:
    """Offer the scheme to the portal."""
    known = desk.policies.setdefault(event.scheme, {})
    if event.policy_version not in known:
        known[event.policy_version] = event.policy
        desk.new_policies.append(event.policy)


# --- applications -----------------------------------------------------------------------------------------


def on_application_approved(desk: Desk, event: ApplicationApproved) -> None:
    """Show the approval with its reasons."""
    _decide(
        desk, event, {"outcome": "approved", "approved": event.approved.amount, "reasons": to_builtins(event.reasons)}
    )


def on_application_rejected(desk: Desk, event: ApplicationRejected) -> None:
    """Show the rejection with its reasons."""
    _decide(desk, event, {"outcome": "rejected", "approved": None, "reasons": to_builtins(event.reasons)})


def on_application_reassessed(desk: Desk, event: ApplicationReassessed) -> None:
    """Show what an approval has become; the timeline keeps the one before."""
    approved = event.approved.amount if event.outcome == "approved" else None
    decision = {"outcome": event.outcome, "approved": approved, "reasons": to_builtins(event.reasons)}
    _decide(desk, event, decision | {"because": to_builtins(event.because)})


def _decide(desk: Desk, event: ApplicationApproved | ApplicationRejected, decision: dict[str, Any]) -> None:
    application = application_of(desk, event)
    application.decision = {**decision, "decided_at": event.occurred_at}
    changed(desk, application, event)


def on_review_opened(desk: Desk, event: ReviewOpened) -> None:
    """Show what the application waits for."""
    what = to_builtins(event.waiting_for)
    _progress(desk, event, "review", {"holder": event.holder, "what": what, "since": event.occurred_at})


def on_application_waitlisted(desk: Desk, event: ApplicationWaitlisted) -> None:
    """Show that it waits in line for money, or until the pool's books have been checked."""
    fact = {"short_of": event.short_of, "on_hold": event.on_hold, "since": event.occurred_at}
    _progress(desk, event, "waitlisted", fact)


def on_award_refused(desk: Desk, event: AwardRefused) -> None:
    """Show why an approved application gets nothing."""
    _progress(desk, event, "refused", {"reasons": to_builtins(event.reasons), "since": event.occurred_at})


def _progress(desk: Desk, event: Any, name: str, fact: dict[str, Any]) -> None:
    application = application_of(desk, event)
    application.progress = {**application.progress, name: fact}
    changed(desk, application, event)


# --- the map of the service: which event goes where ----------------------------------------------------------

SUBSCRIPTIONS: Final[dict[type[Event], Callable[[Desk, Any], None]]] = {
    PolicyPublished: on_policy_published,
    ApplicationApproved: on_application_approved,
    ApplicationRejected: on_application_rejected,
    ApplicationReassessed: on_application_reassessed,
    ReviewOpened: on_review_opened,
    ClarificationRequested: hearing.on_clarification_requested,
    AppealDecided: hearing.on_appeal_decided,
    ApplicationWaitlisted: on_application_waitlisted,
    AwardRefused: on_award_refused,
    AwardIssued: awards.on_award_issued,
    AwardChanged: awards.on_award_changed,
    AwardExpiryAnnounced: awards.on_award_expiry_announced,
    AwardExpired: awards.on_award_ended,
    AwardRevoked: awards.on_award_ended,
    AwardClosed: awards.on_award_ended,
    AwardRecovered: awards.on_award_recovered,
    RecoveryDemanded: awards.on_recovery_demanded,
    RecoveryClosed: awards.on_recovery_closed,
    ClaimVerified: claims.on_claim_verified,
    ClaimRejected: claims.on_claim_rejected,
    ClaimPayable: claims.on_claim_payable,
    ClaimInstructed: claims.on_claim_instructed,
    ClaimPaid: claims.on_claim_paid,
    ClaimRefused: claims.on_claim_refused,
    ClaimUnpaid: claims.on_claim_unpaid,
    ClaimCancelled: claims.on_claim_cancelled,
}
