"""The tables of money that leaves and comes back: accounts, payments, the bank's reports, recoveries, orders."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
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

from disbursement.tables.columns import clock, fen, metadata, moment

_WAITS: Final = text("next_step_at IS NOT NULL")

accounts: Final = Table(
    "accounts",
    metadata,
    Column("verification_id", Uuid, primary_key=True),
    Column("applicant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("bank_code", Text, nullable=False),
    Column("application_id", Uuid, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason_code", Text),
    moment("asked_at"),
    moment("answered_at", nullable=True),
    *clock(),
    Column("sealed", Text),
    Column("fingerprint", Text),
    UniqueConstraint("applicant", "fingerprint"),
    Index("ix_accounts_key_id", text("split_part(sealed, '.', 2)")),
    CheckConstraint("status IN ('asked', 'verified', 'rejected')", "status_known"),
    Index("ix_accounts_deadline", "next_step_at", postgresql_where=_WAITS),
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
    moment("instructed_at"),
    moment("settled_at", nullable=True),
    moment("returned_at", nullable=True),
    Column("bank_reference", Text),
    Column("reason_code", Text),
    *clock(),
    fen("netted"),
    Column("hold", Text),
    Column("released", Boolean, nullable=False, server_default="false"),
    Column("verification_id", Uuid),
    Index("ix_payments_key_id", text("split_part(creditor ->> 'sealed', '.', 2)")),
    CheckConstraint("amount >= 0 AND netted >= 0 AND amount + netted > 0", "positive"),
    CheckConstraint("status IN ('held', 'instructed', 'settled', 'returned', 'cancelled')", "status_known"),
    CheckConstraint("hold IN ('account', 'account_rejected', 'release')", "hold_known"),
    CheckConstraint("(status = 'held') = (hold IS NOT NULL)", "held_for_a_reason"),
    Index("ix_payments_status", "status", "payment_id"),
    Index("ix_payments_deadline", "next_step_at", postgresql_where=_WAITS),
    Index("ix_payments_held", "verification_id", postgresql_where=text("status = 'held'")),
)

reports: Final = Table(
    "reports",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("payment_id", Uuid, index=True),
    Column("recovery_id", Uuid, index=True),
    Column("verification_id", Uuid),
    Column("type", Text, nullable=False),
    Column("amount", BigInteger),
    Column("end_to_end_id", Text),
    Column("bank_reference", Text),
    Column("attempt", Integer),
    Column("effect", Text, nullable=False),
    Column("detail", Text, nullable=False),
    moment("received_at"),
    Index("ix_reports_discrepancies", "event_id", postgresql_where=text("effect = 'discrepancy'")),
)

recoveries: Final = Table(
    "recoveries",
    metadata,
    Column("recovery_id", Uuid, primary_key=True),
    Column("award_id", Uuid, nullable=False, index=True),
    Column("application_id", Uuid, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("demanded", BigInteger, nullable=False),
    *[fen(name) for name in ("received", "netted", "reserved", "written_off")],
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    moment("demanded_at"),
    moment("closed_at", nullable=True),
    *clock(),
    CheckConstraint("demanded > 0 AND reserved >= 0 AND written_off >= 0", "positive"),
    CheckConstraint("netted >= 0 AND netted <= received", "netted_is_received"),
    CheckConstraint("received + reserved + written_off <= demanded", "within_demand"),
    CheckConstraint("status IN ('demanded', 'received', 'written_off')", "status_known"),
    Index("ix_recoveries_open", "applicant", "pool", postgresql_where=text("status = 'demanded'")),
    Index("ix_recoveries_deadline", "next_step_at", postgresql_where=_WAITS),
)

# What of a payment is kept back for which demand. It is received when the payment settles.
nettings: Final = Table(
    "nettings",
    metadata,
    Column("payment_id", Uuid, nullable=False),
    Column("recovery_id", Uuid, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("payment_id", "recovery_id"),
    CheckConstraint("amount > 0", "positive"),
)

# Every command of a person, with who asked for it, who agreed and what came of it. Nothing here is ever deleted.
orders: Final = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    moment("proposed_at"),
    Column("decided_by", Text),
    moment("decided_at", nullable=True),
    Column("decision_reason", Text),
    CheckConstraint("status IN ('proposed', 'executed', 'rejected')", "status_known"),
    Index("ix_orders_status", "status", "order_id"),
)
