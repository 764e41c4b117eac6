"""The tables of the reconciliation: what was found, how far was read, whose turn it is. No money is in them."""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table, Text

from disbursement.tables.columns import metadata, moment

# The last result of each check on each pool. A difference other than 0 keeps the pool from being resumed.
reconciliations: Final = Table(
    "reconciliations",
    metadata,
    Column("check_name", Text, nullable=False),
    Column("pool", Text, nullable=False),
    Column("difference", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    moment("found_at", nullable=True),
    moment("checked_at"),
    PrimaryKeyConstraint("check_name", "pool"),
    CheckConstraint("difference >= 0", "not_negative"),
    CheckConstraint("(difference = 0) = (found_at IS NULL)", "found_once"),
)

# Which process reconciles, and since when: one at a time, and not more often than asked for.
reconciliation_turns: Final = Table(
    "reconciliation_turns",
    metadata,
    Column("name", Text, primary_key=True),
    moment("taken_at"),
    moment("done_at", nullable=True),
)

# Up to which transfer a pool's ledger was read, its hash, and what the transfers up to there add up to. Two readers
# go through it: one follows what is new, one goes through all of it again and again.
ledger_checkpoints: Final = Table(
    "ledger_checkpoints",
    metadata,
    Column("pool", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    *[Column(name, BigInteger, nullable=False) for name in ("appropriated", "available")],
    *[Column(name, BigInteger, nullable=False) for name in ("committed", "obligated", "disbursed")],
    PrimaryKeyConstraint("pool", "reader"),
    CheckConstraint("reader IN ('new', 'again')", "reader_known"),
)

# Flaws of the chain that can't be mended any more and were examined: who says so, and why. Only people write here.
known_flaws: Final = Table(
    "known_flaws",
    metadata,
    Column("pool", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("signed_by", Text, nullable=False),
    moment("signed_at"),
    PrimaryKeyConstraint("pool", "version"),
)

# Up to where an own topic was compared with the outbox: its next offset, and the outbox id that was reached.
# A next offset of -1 says: begin anew at the end, because what was found there is settled.
topic_positions: Final = Table(
    "topic_positions",
    metadata,
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("checked_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("topic", "partition"),
    CheckConstraint("next_offset >= -1 AND checked_id >= 0", "places"),
)
