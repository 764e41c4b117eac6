"""The tables of promises: approvals that wait or were decided, awards, claims, cap groups, support by contract."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from disbursement.tables.columns import fen, metadata, moment

applications: Final = Table(
    "applications",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("applicant", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("state", Text, nullable=False),
    moment("submitted_at"),
    Column("approval", JSONB),
    CheckConstraint("state IN ('awarded', 'waitlisted', 'refused', 'withdrawn')", "state_known"),
    Index(
        "ix_applications_key_id",
        text("split_part(approval #>> '{creditor,sealed}', '.', 2)"),
        postgresql_where=text("jsonb_typeof(approval) = 'object'"),
    ),
    Index(
        "ix_applications_waitlist",
        "scheme",
        "fiscal_year",
        "submitted_at",
        "application_id",
        postgresql_where=text("state = 'waitlisted'"),
    ),
)

# Of each scheme and year in which anybody has waited for money: how many do, and what the first of them is short of.
lines: Final = Table(
    "lines",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("pool", Text, nullable=False, index=True),
    Column("waiting", BigInteger, nullable=False),
    Column("short_of", Text, nullable=False),
    Column("wake", Boolean, nullable=False),
    PrimaryKeyConstraint("scheme", "fiscal_year"),
    CheckConstraint("waiting >= 0", "not_negative"),
    CheckConstraint("short_of IN ('envelope', 'pool')", "short_of_known"),
    Index("ix_lines_wake", "scheme", "fiscal_year", postgresql_where=text("wake")),
)

# With whom a company shares its cap, as last heard.
companies: Final = Table(
    "companies",
    metadata,
    Column("uscc", Text, primary_key=True),
    Column("members", ARRAY(Text), nullable=False),
    moment("as_of"),
)

# What the whole programme supports one contract with (domain.md, rule 1: the stack limit).
stacks: Final = Table(
    "stacks",
    metadata,
    Column("provider", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("granted", BigInteger, nullable=False),
    PrimaryKeyConstraint("provider", "number"),
    CheckConstraint("granted >= 0", "not_negative"),
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
    moment("issued_at"),
    moment("valid_from"),
    moment("valid_until"),
    Column("contract_provider", Text),
    Column("contract_number", Text),
    fen("recovered"),
    moment("expires_at", nullable=True),
    moment("noticed_at", nullable=True),
    moment("next_step_at", nullable=True),
    moment("ended_at", nullable=True),
    Column("end_reason", Text),
    Column("corrected_to", BigInteger),
    fen("excess"),
    CheckConstraint("committed >= 0 AND obligated >= 0 AND disbursed >= 0 AND released >= 0", "not_negative"),
    CheckConstraint("awarded = committed + obligated + disbursed + released", "balanced"),
    CheckConstraint("awarded - released <= approved AND (awarded <= approved OR corrected_to >= 0)", "within_approval"),
    CheckConstraint("excess >= 0 AND corrected_to >= 0", "corrected"),
    CheckConstraint("recovered >= 0 AND recovered <= released", "recovered_within_released"),
    Index("ix_awards_key_id", text("split_part(creditor ->> 'sealed', '.', 2)")),
    Index(
        "ix_awards_deadline",
        "next_step_at",
        postgresql_include=["expires_at"],  # all that run are counted by kind: from the index alone
        postgresql_where=text("next_step_at IS NOT NULL"),
    ),
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
    moment("verified_at"),
    CheckConstraint("payable >= 0 AND payable <= eligible", "within_expense"),
)
