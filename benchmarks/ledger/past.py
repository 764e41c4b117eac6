"""A long past, fast: copies of lives that the service's code has posted, under other ids, each a minute earlier.

The copies are whole rows of the real shape, in the real tables with all their indexes, and the pools' sums include
them. Two things are not as they would be: their hashes form no chain, and the documents beside them name the ids of
the originals. Nothing that is measured reads either.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy import Column, Table, Uuid

from disbursement import tables

# What every life leaves behind. Outbox rows are not kept for long.
_TABLES: Final = ("applications", "awards", "caps", "claims", "payments", "reports", "transfers", "inbox")
_NAMES: Final = ("applicant", "cap_holder", "command", "end_to_end_id", "hash", "holder", "voucher_code")

# A UUIDv7 begins with 48 bits of milliseconds. A name's last four characters become the copy's number, behind a letter
# that no original has there.
FUNCTIONS: Final = """
CREATE FUNCTION earlier(id uuid, copy bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
  SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - copy * 60000), 12, '0')
    || substr(replace(id::text, '-', ''), 13))::uuid $$;
CREATE FUNCTION renamed(name text, copy bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT left(name, -4) || 'g' || lpad(to_hex(copy), 3, '0') $$;
"""
# The memory is for building indexes. Only this connection does without waiting for the disk.
SETTINGS: Final = "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'"
ORIGINALS: Final = "CREATE TEMP TABLE original_{0} AS SELECT * FROM {0} {1}"
_CONSTRAINTS: Final = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = $1::text::regclass AND contype IN ('p', 'u')
"""
_INDEXES: Final = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE indrelid = $1::text::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_BOOKS: Final = """
UPDATE {0} SET available = appropriated - (committed + obligated + disbursed) * $1,
  committed = committed * $1, obligated = obligated * $1, disbursed = disbursed * $1
"""
_VERSIONS: Final = "UPDATE pools SET version = (SELECT max(version) FROM transfers WHERE transfers.pool = pools.pool)"


async def multiply(connection: asyncpg.Connection, copies: int) -> None:
    """Add so many copies of all lives in the database."""
    await connection.execute(SETTINGS)
    await connection.execute(FUNCTIONS)
    span = await connection.fetchval("SELECT max(version) FROM transfers")
    for name in _TABLES:  # an opening is no part of a life
        await connection.execute(ORIGINALS.format(name, "WHERE award_id IS NOT NULL" if name == "transfers" else ""))
        async with without_indexes(connection, name):
            await connection.execute(_statement(tables.metadata.tables[name], span), copies)
    for books in ("pools", "envelopes"):
        await connection.execute(_BOOKS.format(books), copies + 1)
    await connection.execute(_VERSIONS)


@asynccontextmanager
async def without_indexes(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Take a table's indexes away and build them again at the end, which is several times faster for many rows."""
    constraints = await connection.fetch(_CONSTRAINTS, table)
    indexes = await connection.fetch(_INDEXES, table)
    for constraint in constraints:
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint['name']}")
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    yield
    for constraint in constraints:
        await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint['name']} {constraint['definition']}")
    for index in indexes:
        await connection.execute(index["definition"])


def _statement(table: Table, span: int) -> str:
    names = ", ".join(column.name for column in table.c)
    values = ", ".join(_value(table, column, span) for column in table.c)
    copies = "generate_series(1, $1::bigint) AS copy"
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM original_{table.name} CROSS JOIN {copies}"


def _value(table: Table, column: Column[object], span: int) -> str:
    if isinstance(column.type, Uuid):
        return f"earlier({column.name}, copy)"
    if column.name in _NAMES:
        return f"renamed({column.name}, copy)"
    if (table.name, column.name) == ("transfers", "version"):
        return f"{column.name} + copy * {span}"
    return column.name
