"""What is heard of claims and their payments. Verification is told on one topic, money on another, in any order."""

from contracts.codec import to_builtins
from contracts.events import ClaimPaid, ClaimPayable, ClaimRefused, ClaimRejected, ClaimUnpaid, ClaimVerified
from intake.desk import Desk
from intake.heard import advance, application_of, award_of, claim_of


def on_claim_verified(desk: Desk, event: ClaimVerified) -> None:
    """Show the verified expense."""
    claim = claim_of(desk, event)
    claim.eligible = event.eligible.amount
    advance(desk, claim, event, "verifying", eligible=event.eligible.amount)


def on_claim_rejected(desk: Desk, event: ClaimRejected) -> None:
    """Show why a claim is not paid; its invoices never counted and may be used again."""
    desk.released_claims.append(event.claim_id)
    on_claim_refused(desk, event)


def on_claim_refused(desk: Desk, event: ClaimRejected | ClaimRefused) -> None:
    """Show why a claim is not paid. A refused one was verified: its invoices have counted (domain.md, rule 4)."""
    claim = claim_of(desk, event)
    claim.reasons = to_builtins(event.reasons)
    advance(desk, claim, event, "rejected")


def on_claim_payable(desk: Desk, event: ClaimPayable) -> None:
    """Show what is paid, and what the award still holds."""
    claim, application = claim_of(desk, event), application_of(desk, event)
    claim.payable = event.payable.amount
    claim.payment = {"payment_id": event.payment_id, "status": "instructed"}
    award = award_of(application)
    application.award = {
        **award,
        "claimed": award["claimed"] + event.payable.amount,
        "rest": event.rest.amount,
        "status": "exhausted" if event.rest.amount == 0 else award["status"],
    }
    advance(desk, claim, event, "payable", payable=event.payable.amount, limited_by=event.limited_by)


def on_claim_paid(desk: Desk, event: ClaimPaid) -> None:
    """Show that the bank has paid."""
    claim, application = claim_of(desk, event), application_of(desk, event)
    claim.payment = {"payment_id": event.payment_id, "status": "settled", "settled_at": event.settled_at}
    award = award_of(application)
    application.award = {**award, "paid": award["paid"] + event.paid.amount}
    advance(desk, claim, event, "paid", paid=event.paid.amount)


def on_claim_unpaid(desk: Desk, event: ClaimUnpaid) -> None:
    """Show that the bank sent the payment back."""
    claim = claim_of(desk, event)
    claim.payment = {"payment_id": event.payment_id, "status": "returned", "reason_code": event.reason_code}
    advance(desk, claim, event, claim.status, reason_code=event.reason_code)
