"""The rows that a batch works on, as plain mutable records: what was loaded, changed in memory, and is stored again.

Every amount is whole fen. A record's fields are its table's columns.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.common import AwardKind, LimitedBy


class Books(msgspec.Struct, kw_only=True):
    """The five amounts of a pool or an envelope: appropriated = available + committed + obligated + disbursed."""

    appropriated: int = 0
    available: int = 0
    committed: int = 0
    obligated: int = 0
    disbursed: int = 0

    def balanced(self) -> bool:
        return self.appropriated == self.available + self.committed + self.obligated + self.disbursed


class Pool(Books, kw_only=True):
    """An appropriation. ``version`` counts its transfers, ``hash`` is the last one's."""

    pool: str
    name_zh: str
    name_en: str
    version: int = 0
    hash: str


class Envelope(Books, kw_only=True):
    """The part of a pool that a scheme may commit in one fiscal year."""

    scheme: str
    fiscal_year: int
    pool: str


class Cap(msgspec.Struct, kw_only=True):
    """What a company (or cap group) has been granted in a scheme and fiscal year."""

    scheme: str
    fiscal_year: int
    holder: str
    granted: int = 0


class Application(msgspec.Struct, kw_only=True):
    """What became of an approval here. ``approval`` is kept whole while it may still be awarded."""

    application_id: UUID
    applicant: str
    scheme: str
    fiscal_year: int
    state: str
    submitted_at: datetime
    approval: dict[str, Any] | None = None


class Award(msgspec.Struct, kw_only=True):
    """A promise. ``committed`` is its rest: awarded = committed + obligated + disbursed + released."""

    award_id: UUID
    application_id: UUID
    applicant: str
    scheme: str
    fiscal_year: int
    pool: str | None
    district: str
    cap_holder: str
    policy_version: str
    kind: AwardKind
    voucher_code: str | None
    rate: int
    approved: int
    awarded: int
    committed: int
    obligated: int = 0
    disbursed: int = 0
    released: int = 0
    limited_by: LimitedBy
    status: str = "active"
    creditor: dict[str, Any]
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime


class Claim(msgspec.Struct, kw_only=True):
    """A verified claim and what is paid for it."""

    claim_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str
    eligible: int
    payable: int
    limited_by: str
    status: str
    verified_at: datetime


class Payment(msgspec.Struct, kw_only=True):
    """A payment order to finance and what the bank made of it. Its clock: ``waits``; ``questions`` counts how often
    finance was asked.
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
    status: str = "instructed"
    attempt: int = 1
    creditor: dict[str, Any]
    instructed_at: datetime
    settled_at: datetime | None = None
    returned_at: datetime | None = None
    bank_reference: str | None = None
    reason_code: str | None = None
    due_at: datetime | None = None
    next_step_at: datetime | None = None
    missed_at: datetime | None = None
    questions: int = 0


class Report(msgspec.Struct, kw_only=True):
    """A bank report as it came: ``effect`` says what it moved (``moved``), or why nothing."""

    event_id: UUID
    payment_id: UUID
    type: str
    amount: int
    end_to_end_id: str
    bank_reference: str
    effect: str
    detail: str
    received_at: datetime


class Transfer(msgspec.Struct, kw_only=True):
    """One posted move. ``command`` is unique: the same cause can't post twice. ``document`` is what was published."""

    transfer_id: UUID
    command: str
    pool: str
    version: int
    source: str
    target: str
    amount: int
    scheme: str | None
    award_id: UUID | None
    claim_id: UUID | None
    payment_id: UUID | None
    hash: str
    document: str
    posted_at: datetime
