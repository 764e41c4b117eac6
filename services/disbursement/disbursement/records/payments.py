"""The records of money that leaves and comes back: accounts, payments, reports, recoveries, people's orders."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class Clocked(msgspec.Struct, kw_only=True):
    """What waits with a deadline (``waits``). ``questions`` counts how often finance was asked."""

    due_at: datetime | None = None
    next_step_at: datetime | None = None
    missed_at: datetime | None = None
    questions: int = 0


class Account(Clocked, kw_only=True):
    """A company's bank account and what finance says of it. The application is the one for which it was first asked.

    ``name`` and ``account`` are masks of what is in ``sealed``, or clear where that is None (``creditors``).
    """

    verification_id: UUID
    applicant: str
    name: str
    account: str
    bank_code: str
    application_id: UUID
    scheme: str
    policy_version: str
    status: str = "asked"
    reason_code: str | None = None
    asked_at: datetime
    answered_at: datetime | None = None
    sealed: str | None = None
    fingerprint: str | None = None


class Payment(Clocked, kw_only=True):
    """A payment order to finance and what the bank made of it. The claim pays ``amount`` + ``netted``.

    ``hold`` says why it was not instructed: its account is being verified, was rejected, or two persons have to
    release it. ``released`` says that they did.
    """

    payment_id: UUID
    claim_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str
    scheme: str
    pool: str
    amount: int
    end_to_end_id: str
    status: str
    attempt: int = 1
    creditor: dict[str, Any]
    instructed_at: datetime
    settled_at: datetime | None = None
    returned_at: datetime | None = None
    bank_reference: str | None = None
    reason_code: str | None = None
    netted: int = 0
    hold: str | None = None
    released: bool = False
    verification_id: UUID | None = None


class Report(msgspec.Struct, kw_only=True):
    """What finance reported, as it came: ``effect`` says what it did (``moved``), or why nothing."""

    event_id: UUID
    payment_id: UUID | None = None
    recovery_id: UUID | None = None
    verification_id: UUID | None = None
    type: str
    amount: int | None = None
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    attempt: int | None = None
    effect: str
    detail: str
    received_at: datetime


class Recovery(Clocked, kw_only=True):
    """Money demanded back. ``netted`` is part of ``received``; ``reserved`` is kept back of payments under way."""

    recovery_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str
    scheme: str
    pool: str
    demanded: int
    received: int = 0
    netted: int = 0
    reserved: int = 0
    written_off: int = 0
    reason: str
    status: str = "demanded"
    demanded_at: datetime
    closed_at: datetime | None = None

    @property
    def outstanding(self) -> int:
        """Return what is still owed and not kept back of any payment."""
        return self.demanded - self.received - self.reserved - self.written_off


class Netting(msgspec.Struct, kw_only=True):
    """What of a payment is kept back for a demand."""

    payment_id: UUID
    recovery_id: UUID
    amount: int


class Order(msgspec.Struct, kw_only=True):
    """A person's command: what was asked, by whom, who agreed or refused."""

    order_id: UUID
    kind: str
    subject: dict[str, Any]
    reason: str
    status: str = "proposed"
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
