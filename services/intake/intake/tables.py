"""The tables that intake owns.

Locks: whoever changes an application, its claims or its timeline locks the application's row first, several of them
in the order of their ids.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.tables import new_metadata, privacy_audit

metadata: Final = new_metadata()

erasures: Final = privacy_audit(metadata)


def _clock() -> list[Column[Any]]:
    """What it waits for, since when, until when, and when that was found to be over (``waits``)."""
    moments = ("waits_since", "due_at", "missed_at")
    return [Column("waits_for", Text), *(Column(name, DateTime(timezone=True)) for name in moments)]


application_number: Final = Sequence("application_number_seq", metadata=metadata)

policies: Final = Table(
    "policies",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("policy", JSONB, nullable=False),
    PrimaryKeyConstraint("scheme", "version"),
)

applications: Final = Table(
    "applications",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("scheme", Text, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("submitted_at", DateTime(timezone=True)),
    Column("progress", JSONB, nullable=False),
    Column("decision", JSONB(none_as_null=True)),
    Column("award", JSONB(none_as_null=True)),
    Column("award_id", Uuid, unique=True),
    Column("voucher_code", Text, unique=True),
    Column("recoveries", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("happenings", Integer, nullable=False),
    Column("client", Text, nullable=False, server_default="portal"),
    *_clock(),
    Index("ix_applications_applicant", "applicant", "application_id"),
    Index("ix_applications_status", "status", "application_id"),
    Index("ix_applications_scheme", "scheme", "application_id"),
    Index("ix_applications_client", "client", "application_id"),
    Index("ix_applications_district", "district", "application_id"),
    Index("ix_applications_submitted_at", "submitted_at", "application_id"),
    Index("ix_applications_key_id", text("split_part(body #>> '{applicant,account,sealed}', '.', 2)")),
    Index("ix_applications_deadline", "due_at", "waits_for", postgresql_where=text("due_at IS NOT NULL")),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, index=True),
    Column("award_id", Uuid, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("eligible", BigInteger),
    Column("payable", BigInteger),
    Column("netted", BigInteger),
    Column("payment", JSONB(none_as_null=True)),
    Column("reasons", JSONB(none_as_null=True)),
    *_clock(),
    CheckConstraint("payable >= 0", "payable_not_negative"),
    Index("ix_claims_deadline", "due_at", "waits_for", postgresql_where=text("due_at IS NOT NULL")),
)

invoices: Final = Table(
    "invoices",
    metadata,
    Column("seller", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("claim_id", Uuid, nullable=False, index=True),
    PrimaryKeyConstraint("seller", "number"),
)

timeline: Final = Table(
    "timeline",
    metadata,
    Column("application_id", Uuid, nullable=False),
    Column("position", Integer, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("type", Text, nullable=False),
    Column("claim_id", Uuid),
    Column("data", JSONB, nullable=False),
    PrimaryKeyConstraint("application_id", "position"),
)

# What was uploaded; the bytes are in the document store. A document never changes; a provider may confirm it once.
documents: Final = Table(
    "documents",
    metadata,
    Column("document_id", Uuid, primary_key=True),
    Column("client", Text, nullable=False),
    Column("kind", Text),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("uploaded_at", DateTime(timezone=True), nullable=False),
    Column("finding", Text),
    Column("confirmed_by", Text),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("erased_at", DateTime(timezone=True)),
    CheckConstraint("size > 0", "not_empty"),
)
