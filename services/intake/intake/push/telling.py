"""What is said of a line of the timeline: where the application and its claim stand after it. Pure.

No names, accounts or contacts, and no free text: whoever wants more reads the application.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from intake import waits
from intake.push.records import WEBHOOK_DISABLED, NewPush, Webhook
from intake.records import Application, Claim, Happening


class WaitingFor(msgspec.Struct, frozen=True):
    """Who is waited for and until when; ``kind`` is the name of the clock."""

    who: str
    kind: str
    since: datetime | None
    due: datetime | None
    overdue: bool


class ClaimNow(msgspec.Struct, frozen=True):
    claim_id: UUID
    status: str
    payment_status: str | None
    waiting_for: WaitingFor | None


class AwardNow(msgspec.Struct, frozen=True):
    award_id: UUID | str
    status: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a push: what the application, its award and the claim that it is about are now."""

    application_id: UUID
    number: str
    scheme: str
    applicant: str
    status: str
    version: int
    waiting_for: WaitingFor | None
    award: AwardNow | None
    claim: ClaimNow | None
    occurred_at: datetime


def change(application: Application, claim: Claim | None, happening: Happening) -> NewPush:
    """Return what is pushed of a line; call it when the line's change is made."""
    told = Change(
        application_id=application.application_id,
        number=application.number,
        scheme=application.scheme,
        applicant=application.applicant,
        status=application.status,
        version=application.version,
        waiting_for=_waiting(waits.of_application(application), application),
        award=_award(application.award),
        claim=_claim(claim) if claim else None,
        occurred_at=happening.at,
    )
    return NewPush(
        client=application.client,
        application_id=application.application_id,
        applicant=application.applicant,
        type=happening.type,
        data=msgspec.json.encode(told),
    )


def disabled(webhook: Webhook, now: datetime) -> NewPush:
    """Return what is pushed when a webhook was given up."""
    told = {"webhook_id": webhook.webhook_id, "because": webhook.disabled_because, "occurred_at": now}
    return NewPush(
        client=webhook.client,
        application_id=None,
        applicant=None,
        type=WEBHOOK_DISABLED,
        data=msgspec.json.encode(told),
    )


def _waiting(wait: waits.Wait | None, record: waits.Waiting) -> WaitingFor | None:
    if wait is None:
        return None
    return WaitingFor(wait.who, wait.kind, record.waits_since, record.due_at, record.missed_at is not None)


def _award(award: dict[str, Any] | None) -> AwardNow | None:
    return AwardNow(award["award_id"], award["status"]) if award else None


def _claim(claim: Claim) -> ClaimNow:
    payment = claim.payment["status"] if claim.payment else None
    return ClaimNow(claim.claim_id, claim.status, payment, _waiting(waits.of_claim(claim), claim))
