"""The ledger's tables: policies, pools, envelopes, caps, and the transfers, which nobody may change."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from disbursement.tables.columns import balanced, books, metadata, moment

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
    *books(),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("hash", Text, nullable=False),
    Column("on_hold", Text),
    *balanced(),
)

envelopes: Final = Table(
    "envelopes",
    metadata,
    Column("scheme", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("pool", Text, nullable=False),
    *books(),
    PrimaryKeyConstraint("scheme", "fiscal_year"),
    *balanced(),
)

# By company. A cap group's use is the sum over its members: when the group changes, nothing has to be moved.
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
    moment("posted_at"),
    PrimaryKeyConstraint("pool", "version"),
    CheckConstraint("amount > 0", "positive"),
)
