"""The tables that delivery needs in every service's database, beside the service's own.

``outbox`` and ``inbox`` are partitioned by day, so that retention is a dropped partition: the outbox by the
database's clock, the inbox by the event's own id (a UUIDv7 begins with its time), which keeps that id unique.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Return metadata with the delivery tables in it, for a service to add its own tables to."""
    metadata = MetaData(naming_convention=NAMING)
    _add_outbox(metadata)
    _add_inbox(metadata)
    _add_parking(metadata)
    _add_idempotency(metadata)
    return metadata


def _add_outbox(metadata: MetaData) -> None:
    Sequence("outbox_id_seq", metadata=metadata)
    Table(
        "outbox",
        metadata,
        Column("id", BigInteger, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("event_id", Uuid, nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("time", DateTime(timezone=True), nullable=False),
        Column("traceparent", Text),
        Column("headers", JSONB),
        Column("data", LargeBinary),
        PrimaryKeyConstraint("id", "created_at"),
        postgresql_partition_by="RANGE (created_at)",
    )
    Table(
        "relay",
        metadata,
        Column("name", Text, primary_key=True),
        Column("cursor", BigInteger, nullable=False),
        Column("holder", Text, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
    )


def _add_inbox(metadata: MetaData) -> None:
    Table(
        "inbox",
        metadata,
        Column("event_id", Uuid, primary_key=True),
        Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        postgresql_partition_by="RANGE (event_id)",
    )
    Table(
        "consumer_offset",
        metadata,
        Column("consumer_group", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False),
    )


def _add_parking(metadata: MetaData) -> None:
    Table(
        "parked",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("event_id", Text),
        Column("type", Text),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary),
        Column("family", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("error_class", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("state", Text, nullable=False, server_default="parked"),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("next_try_at", DateTime(timezone=True), nullable=False),
        Column("settled_at", DateTime(timezone=True)),
        Column("settled_by", Text),
        Column("settled_why", Text),
        CheckConstraint("state IN ('parked', 'redriven', 'discarded')", "state_known"),
        UniqueConstraint("topic", "partition", "offset"),
        Index("ix_parked_waiting", "topic", "key", "partition", "offset", postgresql_where=text("state = 'parked'")),
    )
    Table(
        "redrive_audit",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("who", Text, nullable=False),
        Column("why", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("handled", Integer, nullable=False),
        Column("stopped_by", Text),
    )


def privacy_audit(metadata: MetaData) -> Table:
    """Return the table of who exported or erased what is held of whom, and why. Rows are only ever added."""
    return Table(
        "privacy_audit",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("who", Text, nullable=False),
        Column("why", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("applicant", Text, nullable=False),
        Column("changed", Integer, nullable=False),
        CheckConstraint("action IN ('export', 'erase')", "action_known"),
    )


def _add_idempotency(metadata: MetaData) -> None:
    Table(
        "idempotency",
        metadata,
        Column("client", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("request_hash", LargeBinary, nullable=False),
        Column("status", Integer, nullable=False),
        Column("headers", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now(), index=True),
    )
