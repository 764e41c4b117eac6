"""What is heard of claims and their payments. Verification is told on one topic, money on another, in any order."""

from typing import Any

from contracts.codec import to_builtins
from contracts.events import (
    ClaimCancelled,
    ClaimInstructed,
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimRejected,
    ClaimUnpaid,
    ClaimVerified,
)
from intake import rules
from intake.desk import Desk
from intake.heard import advance, application_of, award_of, claim_of
from intake.records import Claim


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
    """Show what is paid, what of it is kept back, whether the payment is held, and what the award still holds."""
    claim, application = claim_of(desk, event), application_of(desk, event)
    claim.payable, claim.netted = event.payable.amount, event.netted.amount
    first = {"attempt": 1} if event.payment_status == "instructed" else {}
    _show_payment(claim, event, event.payment_status, **first)
    award = award_of(application)
    application.award = award | {
        "claimed": award["claimed"] + event.payable.amount,
        "rest": event.rest.amount,
        "status": rules.award_status(award["status"], event.rest.amount),
    }
    told = {"payable": event.payable.amount, "netted": event.netted.amount, "payment_status": event.payment_status}
    advance(desk, claim, event, "payable", limited_by=event.limited_by, **told)


def on_claim_instructed(desk: Desk, event: ClaimInstructed) -> None:
    """Show that finance was asked to pay what was held, or to try again what the bank had sent back."""
    claim = claim_of(desk, event)
    _show_payment(claim, event, "instructed", attempt=event.attempt)
    advance(desk, claim, event, "payable", attempt=event.attempt)


def on_claim_paid(desk: Desk, event: ClaimPaid) -> None:
    """Show that the bank has paid, or that all of it was kept back for what the company owed."""
    claim, application = claim_of(desk, event), application_of(desk, event)
    _show_payment(claim, event, "settled", settled_at=event.settled_at)
    award = award_of(application)
    application.award = award | {"paid": award["paid"] + event.paid.amount}
    advance(desk, claim, event, "paid", paid=event.paid.amount)


def on_claim_unpaid(desk: Desk, event: ClaimUnpaid) -> None:
    """Show that the bank sent the payment back."""
    claim = claim_of(desk, event)
    _show_payment(claim, event, "returned", reason_code=event.reason_code)
    advance(desk, claim, event, claim.status, reason_code=event.reason_code)


def on_claim_cancelled(desk: Desk, event: ClaimCancelled) -> None:
    """Show that the payment was given up, and that the award holds its money again; one that has ended gives it back.

    The claim was verified: its invoices have counted, as those of a refused one.
    """
    claim, application = claim_of(desk, event), application_of(desk, event)
    claim.reasons = to_builtins(event.reasons)
    _show_payment(claim, event, "cancelled")
    award, amount = award_of(application), event.money.amount
    application.award = award | {
        "claimed": award["claimed"] - amount,
        "rest": event.rest.amount,
        "released": award["released"] + (amount if rules.has_ended(award["status"]) else 0),
        "status": rules.award_status(award["status"], event.rest.amount),
    }
    advance(desk, claim, event, "rejected", money=amount, rest=event.rest.amount)


def _show_payment(claim: Claim, event: Any, status: str, **more: Any) -> None:
    """Let the claim's payment be in ``status``; which attempt it is stays known."""
    attempt = {"attempt": claim.payment["attempt"]} if claim.payment and "attempt" in claim.payment else {}
    claim.payment = {"payment_id": event.payment_id, "status": status} | attempt | more
