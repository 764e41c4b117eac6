"""The tables that disbursement owns. Amounts are BIGINT fen; the CHECKs are the last wall, not the first.

One lock rules: whoever changes anything that belongs to a pool (its envelopes, caps, awards, claims, payments,
waitlist) locks the pool's row first, pools in the order of their names. No other row needs a lock of its own.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.tables import new_metadata

metadata: Final = new_metadata()

_BOOKS: Final = ("appropriated", "available", "committed", "obligated", "disbursed")


def _books() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in _BOOKS]


def _balanced() -> list[CheckConstraint]:
    return [
        CheckConstraint("available >= 0 AND committed >= 0 AND obligated >= 0 AND disbursed >= 0", "not_negative"),
        CheckConstraint("appropriated = available + committed + obligated + disbursed", "balanced"),
    ]


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


policies: Final = Table(
    "policies",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("policy", JSONB, nullable=False),
    PrimaryKeyConstraint("scheme", "version"),
)

pools: Final = Table(
    "pools",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    *_books(),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("hash", Text, nullable=False),
    *_balanced(),
)

envelopes: Final = Table(
    "envelopes",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("pool", Text, nullable=False),
    *_books(),
    PrimaryKeyConstraint("scheme", "fiscal_year"),
    *_balanced(),
)

caps: Final = Table(
    "caps",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("granted", BigInteger, nullable=False),
    PrimaryKeyConstraint("scheme", "fiscal_year", "holder"),
    CheckConstraint("granted >= 0", "not_negative"),
)

applications: Final = Table(
    "applications",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("applicant", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("state", Text, nullable=False),
    _moment("submitted_at"),
    Column("approval", JSONB),
    CheckConstraint("state IN ('awarded', 'waitlisted', 'refused', 'withdrawn')", "state_known"),
    Index(
        "ix_applications_waitlist",
        "scheme",
        "fiscal_year",
        "submitted_at",
        "application_id",
        postgresql_where=text("state = 'waitlisted'"),
    ),
)

awards: Final = Table(
    "awards",
    metadata,
    Column("award_id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, unique=True),
    Column("applicant", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("pool", Text),
    Column("district", Text, nullable=False),
    Column("cap_holder", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("voucher_code", Text, unique=True),
    Column("rate", Integer, nullable=False),
    *[Column(name, BigInteger, nullable=False) for name in ("approved", "awarded")],
    *[Column(name, BigInteger, nullable=False) for name in ("committed", "obligated", "disbursed", "released")],
    Column("limited_by", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("creditor", JSONB, nullable=False),
    _moment("issued_at"),
    _moment("valid_from"),
    _moment("valid_until"),
    CheckConstraint("committed >= 0 AND obligated >= 0 AND disbursed >= 0 AND released >= 0", "not_negative"),
    CheckConstraint("awarded = committed + obligated + disbursed + released", "balanced"),
    CheckConstraint("awarded <= approved", "within_approval"),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("award_id", Uuid, nullable=False, index=True),
    Column("application_id", Uuid, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("eligible", BigInteger, nullable=False),
    Column("payable", BigInteger, nullable=False),
    Column("limited_by", Text, nullable=False),
    Column("status", Text, nullable=False),
    _moment("verified_at"),
    CheckConstraint("payable >= 0 AND payable <= eligible", "within_expense"),
)

payments: Final = Table(
    "payments",
    metadata,
    Column("payment_id", Uuid, primary_key=True),
    Column("claim_id", Uuid, nullable=False, unique=True),
    Column("award_id", Uuid, nullable=False),
    Column("application_id", Uuid, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("end_to_end_id", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("creditor", JSONB, nullable=False),
    _moment("instructed_at"),
    _moment("settled_at", nullable=True),
    _moment("returned_at", nullable=True),
    Column("bank_reference", Text),
    Column("reason_code", Text),
    _moment("due_at", nullable=True),
    _moment("next_step_at", nullable=True),
    _moment("missed_at", nullable=True),
    Column("questions", Integer, nullable=False, server_default="0"),
    CheckConstraint("amount > 0", "positive"),
    CheckConstraint("status IN ('instructed', 'settled', 'returned', 'cancelled')", "status_known"),
    Index("ix_payments_status", "status", "payment_id"),
    Index("ix_payments_deadline", "next_step_at", postgresql_where=text("next_step_at IS NOT NULL")),
)

reports: Final = Table(
    "reports",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("payment_id", Uuid, nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("end_to_end_id", Text, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("detail", Text, nullable=False),
    _moment("received_at"),
    Index("ix_reports_discrepancies", "event_id", postgresql_where=text("effect = 'discrepancy'")),
)

transfers: Final = Table(
    "transfers",
    metadata,
    Column("pool", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("transfer_id", Uuid, nullable=False, unique=True),
    Column("command", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("scheme", Text),
    Column("award_id", Uuid),
    Column("claim_id", Uuid),
    Column("payment_id", Uuid),
    Column("hash", Text, nullable=False),
    Column("document", Text, nullable=False),
    _moment("posted_at"),
    PrimaryKeyConstraint("pool", "version"),
    CheckConstraint("amount > 0", "positive"),
    UniqueConstraint("pool", "hash"),
)
