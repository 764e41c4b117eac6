"""The tables that eligibility owns. The migrations make them; a test holds the two together. Queries: ``store``."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.tables import new_metadata, privacy_audit

metadata: Final = new_metadata()

erasures: Final = privacy_audit(metadata)

policies: Final = Table(
    "policies",
    metadata,
    Column("scheme", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# One row per application. ``facts`` are frozen with the decision; ``leased_until`` and ``lease_token`` say which
# process asks the registers right now, ``next_try_at`` when it is due for them; ``due_at`` is the deadline of the wait.
assessments: Final = Table(
    "assessments",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("scheme", Text, nullable=False),
    Column("applicant", Text, nullable=False, index=True),
    Column("policy_version", Text, nullable=False),
    Column("submitted", JSONB, nullable=False),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    Column("traceparent", Text),
    Column("status", Text, nullable=False),
    Column("facts", JSONB),
    Column("outcome", Text),
    Column("reasons", JSONB),
    Column("approved", JSONB),
    Column("cap_holder", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("waits_for", Text),
    Column("next_try_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("leased_until", DateTime(timezone=True)),
    Column("lease_token", Uuid),
    Column("due_at", DateTime(timezone=True)),
    Column("missed_at", DateTime(timezone=True)),
    Column("left_seconds", Double),
    Column("approved_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('pending', 'waiting', 'decided', 'withdrawn')", name="status"),
    CheckConstraint("outcome IN ('approved', 'rejected')", name="outcome"),
    CheckConstraint("(status = 'decided') <= (outcome IS NOT NULL AND facts IS NOT NULL)", name="decided"),
    Index("ix_assessments_key_id", text("split_part(submitted #>> '{company,account,sealed}', '.', 2)")),
    Index("ix_assessments_due", "next_try_at", postgresql_where=text("status IN ('pending', 'waiting')")),
    Index("ix_assessments_submitted_at", "submitted_at", "application_id", postgresql_where=text("status = 'decided'")),
    Index("ix_assessments_deadline", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)

# The contract counts once in a scheme: held by the application that was approved on it. It is taken before that is
# stored, so its key is looked at when the transaction commits.
contracts: Final = Table(
    "contracts",
    metadata,
    Column("scheme", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column(
        "application_id",
        Uuid,
        ForeignKey("assessments.application_id", deferrable=True, initially="DEFERRED"),
        nullable=False,
        unique=True,
    ),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("application_id", Uuid, nullable=False, index=True),
    Column("submitted", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("eligible", JSONB),
    Column("reasons", JSONB, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("status IN ('waiting', 'verified', 'rejected', 'withdrawn')", name="status"),
)

# The invoice counts once in the whole programme: held by the claim that it counted in.
counted_invoices: Final = Table(
    "counted_invoices",
    metadata,
    Column("seller", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("claim_id", Uuid, nullable=False, index=True),
)

# What waits for a person. ``kind``: a review of an application, facts that can't be had, the acceptance of a claim, an
# appeal against a rejection.
tasks: Final = Table(
    "tasks",
    metadata,
    Column("task_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("application_id", Uuid, nullable=False, index=True),
    Column("claim_id", Uuid),
    Column("scheme", Text, nullable=False),
    Column("applicant", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("holder", Text),
    Column("claimed_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("outcome", Text),
    CheckConstraint("kind IN ('review', 'facts', 'acceptance', 'appeal')", name="kind"),
    Index(
        "uq_tasks_open",
        text("coalesce(claim_id, application_id)"),
        "kind",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
)

# Rows are only ever added, which triggers see to. ``subject`` is an application, or a claim that has to be accepted.
votes: Final = Table(
    "votes",
    metadata,
    Column("subject", Uuid, primary_key=True),
    Column("officer", Text, primary_key=True),
    Column("approve", Boolean, nullable=False),
    Column("amount", BigInteger),
    Column("reasons", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("facts", Text, primary_key=True),
)

# Questions, answers and objections, in order. Rows are only ever added.
statements: Final = Table(
    "statements",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("document", JSONB, nullable=False),
)

# One per application, for good.
appeals: Final = Table(
    "appeals",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("grounds", Text, nullable=False),
    Column("lodged_at", DateTime(timezone=True), nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("upheld", Boolean),
    Column("outcome", JSONB),
    CheckConstraint("(decided_at IS NULL) = (upheld IS NULL)", name="decided"),
)

# What was decided before a correction. Rows are only ever added.
earlier_decisions: Final = Table(
    "earlier_decisions",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("document", JSONB, nullable=False),
)

interests: Final = Table(
    "interests",
    metadata,
    Column("officer", Text, primary_key=True),
    Column("applicant", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("declared_at", DateTime(timezone=True), nullable=False),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("application_id", Uuid, index=True),
    Column("claim_id", Uuid),
    Column("task_id", Uuid),
    Column("facts", Text),
    Column("data", JSONB, nullable=False),
)

# Ranking calls. A score may change until its call is ranked; a ranking and a place never do.
panel_scores: Final = Table(
    "panel_scores",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("panellist", Text, primary_key=True),
    Column("score", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("scored_at", DateTime(timezone=True), nullable=False),
)

rankings: Final = Table(
    "rankings",
    metadata,
    Column("scheme", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
)

placements: Final = Table(
    "placements",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("scheme", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("document", JSONB, nullable=False),
)
