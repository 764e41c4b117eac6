"""The tables of files: payments that went to the bank in one, and the bank's own files that were taken."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from disbursement.tables.columns import metadata, moment

# Every file of payments, to the byte: whoever fetches it again gets the same.
payment_files: Final = Table(
    "payment_files",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("pools", ARRAY(Text), nullable=False),
    moment("created_at"),
    Column("created_by", Text, nullable=False),
    Column("payments", Integer, nullable=False),
    Column("control_sum", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    CheckConstraint("payments > 0 AND control_sum > 0", "positive"),
)

# Which attempt of a payment is in which file. The key is the last wall: no attempt is ever in two files.
payment_file_entries: Final = Table(
    "payment_file_entries",
    metadata,
    Column("payment_id", Uuid, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("message_id", Text, nullable=False, index=True),
    PrimaryKeyConstraint("payment_id", "attempt"),
)

# The bank's files that were taken, each once; `answer` is what whoever sent it was told, and is told again.
bank_files: Final = Table(
    "bank_files",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    moment("received_at"),
    Column("received_by", Text, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    CheckConstraint("kind IN ('pain.002', 'camt.054')", "kind_known"),
)
