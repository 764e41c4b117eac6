"""Rows as the portal is shown them: the same views as intake's, of the same records."""

from datetime import datetime
from typing import Any

from benchmarks.peers.synchronous.models import Application, Award, Claim
from contracts.policy import Clocks
from intake import records, views, waits

_APPLICATION = (
    "application_id", "number", "scheme", "applicant", "district", "status", "version", "policy_version", "provisional",
    "body", "created_at", "updated_at", "submitted_at", "progress", "decision", "waits_for", "waits_since", "due_at",
    "missed_at", "client",
)  # fmt: skip
_CLAIM = (
    "claim_id", "application_id", "award_id", "status", "body", "submitted_at", "updated_at", "eligible", "payable",
    "reasons", "waits_for", "waits_since", "due_at", "missed_at",
)  # fmt: skip


def record_of(application: Application, award: Award | None) -> records.Application:
    """Return an application as intake's record of it."""
    fields = {name: getattr(application, name) for name in _APPLICATION}
    if award is None:
        return records.Application(**fields)
    return records.Application(**fields, award_id=award.award_id, award=_award(award))


def _award(award: Award) -> dict[str, Any]:
    return {
        "award_id": award.award_id,
        "kind": "voucher",
        "voucher_code": award.voucher_code,
        "awarded": award.awarded,
        "limited_by": award.limited_by,
        "claimed": award.obligated + award.disbursed,
        "paid": award.disbursed,
        "rest": award.committed,
        "valid_from": award.issued_at.isoformat(),
        "valid_until": award.valid_until.isoformat(),
        "issued_at": award.issued_at.isoformat(),
        "status": award.status,
        **records.NEW_AWARD,
    }


def claim_record_of(claim: Claim, application: Application) -> records.Claim:
    """Return a claim, with its payment, as intake's record of it."""
    fields = {name: getattr(claim, name) for name in _CLAIM}
    return records.Claim(**fields, applicant=application.applicant, netted=0, payment=_payment(claim))


def _payment(claim: Claim) -> dict[str, Any] | None:
    payment = claim.payment
    if payment is None:
        return None
    shown: dict[str, Any] = {"payment_id": payment.payment_id, "status": payment.status}
    if payment.status != "held":
        shown["attempt"] = payment.attempt
    if payment.settled_at is not None:
        shown["settled_at"] = payment.settled_at
    if payment.reason_code is not None:
        shown["reason_code"] = payment.reason_code
    return shown


def application(found: Application, award: Award | None, claims: list[Claim]) -> dict[str, Any]:
    """Return the whole state of an application."""
    return views.application(record_of(found, award), [claim_record_of(claim, found) for claim in claims])


def claim(found: Claim, of: Application) -> dict[str, Any]:
    """Return the state of a claim."""
    return views.claim(claim_record_of(found, of))


def follow(found: Application, award: Award | None, clocks: Clocks, now: datetime) -> None:
    """Let the clock of an application be that of what it waits for now."""
    waits.follow(found, waits.of_application(record_of(found, award)), clocks, now)


def follow_claim(found: Claim, of: Application, clocks: Clocks, now: datetime) -> None:
    """Let the clock of a claim be that of what it waits for now."""
    waits.follow(found, waits.of_claim(claim_record_of(found, of)), clocks, now)
