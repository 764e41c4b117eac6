"""The tables of what is pushed.

Locks: whoever adds deliveries to a webhook, or ends its work, locks the webhook's row first.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    Table,
    Text,
    Uuid,
    text,
)

from intake.tables import metadata

SEQUENCE: Final = "pushes_id_seq"

# Letter by letter as PostgreSQL shows it: to compare what it gives would draw ids.
_DRAWN: Final = f"""
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('{SEQUENCE}'::regclass)
    ELSE NULL::bigint
END"""

push_id: Final = Sequence(SEQUENCE, metadata=metadata)

# One row for each line of a timeline, and for what a client has to know of its webhooks. Whoever draws an id owns a
# transaction id already: the default sees to it, because the fence rests on that. Old rows are forgotten.
pushes: Final = Table(
    "pushes",
    metadata,
    Column(
        "id",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        server_default=text(_DRAWN),
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("client", Text, nullable=False),
    Column("application_id", Uuid),
    Column("applicant", Text),
    Column("type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# At most one row: every push up to this id was forgotten. Without it none was.
pushes_forgotten: Final = Table(
    "pushes_forgotten",
    metadata,
    Column("up_to", BigInteger, primary_key=True, autoincrement=False),
)

# ``cursor`` is the last push that was looked at for it; of those after it nothing is there yet.
webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Uuid, primary_key=True),
    Column("client", Text, nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("status", Text, nullable=False),
    Column("disabled_because", Text),
    Column("disabled_at", DateTime(timezone=True)),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_secret_until", DateTime(timezone=True)),
    Column("cursor", BigInteger, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("not_before", DateTime(timezone=True)),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("status IN ('enabled', 'disabled')", "status_known"),
)

# What is posted to a webhook. ``attempts`` is also the token of its lease: what an earlier attempt came to is no
# longer heard. ``failing_since`` is when the first of the attempts that count failed.
deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Uuid, primary_key=True),
    Column("webhook_id", Uuid, ForeignKey("webhooks.webhook_id", ondelete="CASCADE"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("application_id", Uuid),
    Column("type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", DateTime(timezone=True), nullable=False),
    Column("leased_until", DateTime(timezone=True)),
    Column("failing_since", DateTime(timezone=True)),
    Column("last_attempt_at", DateTime(timezone=True)),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("delivered_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('pending', 'delivered', 'skipped')", "status_known"),
    Index("ix_deliveries_of_webhook", "webhook_id", "delivery_id"),
    Index(
        "ix_deliveries_pending",
        "webhook_id",
        "application_id",
        "position",
        "delivery_id",
        postgresql_where=text("status = 'pending'"),
    ),
    Index("ix_deliveries_created_at", "created_at"),
)
