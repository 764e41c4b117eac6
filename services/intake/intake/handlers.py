"""What intake does when others have decided: one function per event, which keeps the portal's stored state true.

Decisions and awards come on two topics, whose order between them is not given. So each event only adds the fact that
it carries, and ``rules.status_of`` says what all facts amount to.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import (
    ApplicationApproved,
    ApplicationRejected,
    ApplicationWaitlisted,
    AwardEnded,
    AwardIssued,
    AwardRefused,
    AwardRevoked,
    ClaimEvent,
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimRejected,
    ClaimUnpaid,
    ClaimVerified,
    Event,
    PolicyPublished,
    ReviewOpened,
)
from intake import rules
from intake.desk import Desk
from intake.records import Application, Claim
from kit.errors import PermanentError
from kit.messages import Message
from kit.outbox import Announcements


async def handle(connection: AsyncConnection, messages: Sequence[Message], now: datetime) -> Announcements:
    """Apply a batch: lock and load the applications spoken of, apply each event in order, store them."""
    desk = Desk(now)
    events = [message.data for message in messages]
    await desk.load_policies(connection)
    await desk.load_applications(connection, [found for event in events if (found := _application_id(event))])
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


def _decide(desk: Desk, event: ApplicationApproved | ApplicationRejected, decision: dict[str, Any]) -> None:
    application = _application(desk, event)
    application.decision = {**decision, "decided_at": event.occurred_at}
    _changed(desk, application, event)


def on_review_opened(desk: Desk, event: ReviewOpened) -> None:
    """Show what the application waits for."""
    what = to_builtins(event.waiting_for)
    _progress(desk, event, "review", {"holder": event.holder, "what": what, "since": event.occurred_at})


def on_application_waitlisted(desk: Desk, event: ApplicationWaitlisted) -> None:
    """Show that it waits in line for money."""
    _progress(desk, event, "waitlisted", {"short_of": event.short_of, "since": event.occurred_at})


def on_award_refused(desk: Desk, event: AwardRefused) -> None:
    """Show why an approved application gets nothing."""
    _progress(desk, event, "refused", {"reasons": to_builtins(event.reasons), "since": event.occurred_at})


def _progress(desk: Desk, event: Any, name: str, fact: dict[str, Any]) -> None:
    application = _application(desk, event)
    application.progress = {**application.progress, name: fact}
    _changed(desk, application, event)


def on_award_issued(desk: Desk, event: AwardIssued) -> None:
    """Show the award and its voucher code."""
    application = _application(desk, event)
    application.award_id, application.voucher_code = event.award_id, event.voucher_code
    application.award = {
        "award_id": event.award_id,
        "kind": event.kind,
        "voucher_code": event.voucher_code,
        "awarded": event.awarded.amount,
        "limited_by": event.limited_by,
        "claimed": 0,
        "paid": 0,
        "rest": event.awarded.amount,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "issued_at": event.occurred_at,
        "status": "active",
    }
    _changed(desk, application, event, awarded=event.awarded.amount, limited_by=event.limited_by)


def on_award_revoked(desk: Desk, event: AwardEnded) -> None:
    """Show that the award has ended and nothing is left of it."""
    application = _application(desk, event)
    application.award = {**_award(application), "status": "revoked", "rest": 0}
    _changed(desk, application, event, released=event.released.amount)


# --- claims -----------------------------------------------------------------------------------------------


def on_claim_verified(desk: Desk, event: ClaimVerified) -> None:
    """Show the verified expense."""
    claim = _claim(desk, event)
    claim.eligible = event.eligible.amount
    _advance(desk, claim, event, "verifying", eligible=event.eligible.amount)


def on_claim_rejected(desk: Desk, event: ClaimRejected) -> None:
    """Show why a claim is not paid; its invoices never counted and may be used again."""
    desk.released_claims.append(event.claim_id)
    on_claim_refused(desk, event)


def on_claim_refused(desk: Desk, event: ClaimRejected | ClaimRefused) -> None:
    """Show why a claim is not paid. A refused one was verified: its invoices have counted (domain.md, rule 4)."""
    claim = _claim(desk, event)
    claim.reasons = to_builtins(event.reasons)
    _advance(desk, claim, event, "rejected")


def on_claim_payable(desk: Desk, event: ClaimPayable) -> None:
    """Show what is paid, and what the award still holds."""
    claim, application = _claim(desk, event), _application(desk, event)
    claim.payable = event.payable.amount
    claim.payment = {"payment_id": event.payment_id, "status": "instructed"}
    award = _award(application)
    application.award = {
        **award,
        "claimed": award["claimed"] + event.payable.amount,
        "rest": event.rest.amount,
        "status": "exhausted" if event.rest.amount == 0 else award["status"],
    }
    _advance(desk, claim, event, "payable", payable=event.payable.amount, limited_by=event.limited_by)


def on_claim_paid(desk: Desk, event: ClaimPaid) -> None:
    """Show that the bank has paid."""
    claim, application = _claim(desk, event), _application(desk, event)
    claim.payment = {"payment_id": event.payment_id, "status": "settled", "settled_at": event.settled_at}
    award = _award(application)
    application.award = {**award, "paid": award["paid"] + event.paid.amount}
    _advance(desk, claim, event, "paid", paid=event.paid.amount)


def on_claim_unpaid(desk: Desk, event: ClaimUnpaid) -> None:
    """Show that the bank sent the payment back."""
    claim = _claim(desk, event)
    claim.payment = {"payment_id": event.payment_id, "status": "returned", "reason_code": event.reason_code}
    _advance(desk, claim, event, claim.status, reason_code=event.reason_code)


# --- what they share ----------------------------------------------------------------------------------------


def _application_id(event: Event) -> Any:
    return getattr(event, "application_id", None)


def _application(desk: Desk, event: Any) -> Application:
    application = desk.applications.get(event.application_id)
    if application is None:
        raise PermanentError(f"{event.TYPE} speaks of an application that intake never took in: {event.application_id}")
    return application


def _claim(desk: Desk, event: ClaimEvent) -> Claim:
    claim = desk.claims.get(event.claim_id)
    if claim is None:
        raise PermanentError(f"{event.TYPE} speaks of a claim that intake never took in: {event.claim_id}")
    return claim


def _award(application: Application) -> dict[str, Any]:
    if application.award is None:
        raise PermanentError(f"the award of {application.application_id} is spoken of before it was issued")
    return application.award


def _changed(desk: Desk, application: Application, event: Any, **data: Any) -> None:
    desk.change(application)
    desk.note(application, event.TYPE, event.occurred_at, **data)


def _advance(desk: Desk, claim: Claim, event: ClaimEvent, status: str, **data: Any) -> None:
    claim.status = rules.claim_status(claim.status, status)
    application = _application(desk, event)
    desk.change(application, claim)
    desk.note(application, event.TYPE, event.occurred_at, claim.claim_id, **data)


SUBSCRIPTIONS: Final[dict[type[Event], Callable[[Desk, Any], None]]] = {
    PolicyPublished: on_policy_published,
    ApplicationApproved: on_application_approved,
    ApplicationRejected: on_application_rejected,
    ReviewOpened: on_review_opened,
    ApplicationWaitlisted: on_application_waitlisted,
    AwardIssued: on_award_issued,
    AwardRefused: on_award_refused,
    AwardRevoked: on_award_revoked,
    ClaimVerified: on_claim_verified,
    ClaimRejected: on_claim_rejected,
    ClaimPayable: on_claim_payable,
    ClaimPaid: on_claim_paid,
    ClaimRefused: on_claim_refused,
    ClaimUnpaid: on_claim_unpaid,
}
