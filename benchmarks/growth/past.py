"""A long past, fast: copies of lives that the services have played, in all four databases, under the same other ids.

The copies are whole rows in the real tables, logged, with all their indexes, timelines, invoices and reports. Each
transfer of a copy is sealed anew behind the last one, by the ledger's own rules and hash, so that books, chain and
projection are what they would be (``audit``). Disbursement reconciles them too, and would put a pool on hold. What
stands inside of documents is the originals', and accounts of copies can't be opened: no past is paid again.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import Column, DateTime, Table, Uuid

from benchmarks.ledger.past import ORIGINALS, SETTINGS
from contracts.chain import seal
from contracts.codec import decode
from contracts.events import Balances, TransferPosted
from contracts.topics import event_type
from disbursement import rules
from disbursement import tables as disbursement
from disbursement.records import Pool
from eligibility import tables as eligibility
from intake import tables as intake
from metrics import tables as metrics
from stack.postgres import Postgres

_MS_PER_COPY: Final = 60_000
_ROWS_AT_ONCE: Final = 20_000
_TRANSFER: Final = event_type(TransferPosted)
# A UUIDv7 begins with 48 bits of milliseconds: a copy is so many minutes earlier.
_FUNCTIONS: Final = """
CREATE FUNCTION earlier(id uuid, copy bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
  SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - copy * 60000), 12, '0')
    || substr(replace(id::text, '-', ''), 13))::uuid $$
"""
_TABLES: Final[dict[str, tuple[Table, ...]]] = {
    "intake": (intake.applications, intake.claims, intake.invoices, intake.timeline),
    "eligibility": (eligibility.assessments, eligibility.contracts, eligibility.claims, eligibility.counted_invoices),
    "disbursement": tuple(
        disbursement.metadata.tables[name]
        for name in ("applications", "awards", "caps", "stacks", "accounts", "claims", "payments", "reports")
    ),
    "metrics": (metrics.applications, metrics.claims, metrics.award_years),
}
_NAMED: Final = {"applicant", "cap_holder", "holder", "number", "contract_number", "voucher_code", "end_to_end_id"}
_BOOKS: Final = """
UPDATE {0} SET available = appropriated - (committed + obligated + disbursed) * $1,
  committed = committed * $1, obligated = obligated * $1, disbursed = disbursed * $1
"""
_OWN_IDS: Final = ("transfer_id", "application_id", "award_id", "claim_id", "payment_id")
_CONSTRAINTS: Final = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE conrelid = ANY($1::regclass[]) AND contype IN ('p', 'u', 'f') ORDER BY contype <> 'f'
"""
_INDEXES: Final = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
WHERE indrelid = ANY($1::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


async def multiply(postgres: Postgres, copies: int) -> None:
    """Add so many copies of all lives to the four databases. No service may run."""
    for service, tables in _TABLES.items():
        connection = await asyncpg.connect(postgres.superuser_dsn(service))
        try:
            await connection.execute(SETTINGS)
            await connection.execute(_FUNCTIONS)
            async with _without_indexes(connection, [table.name for table in tables]):
                for table in tables:
                    await connection.execute(ORIGINALS.format(table.name, ""))
                    await connection.execute(_statement(table), copies)
            if service == "disbursement":
                pools = await _extend_ledger(connection, copies)
                await connection.execute(_BOOKS.format("envelopes"), copies + 1)
            if service == "metrics":
                await _follow(connection, pools, copies)
        finally:
            await connection.close()


def _statement(table: Table) -> str:
    names = ", ".join(column.name for column in table.c)
    values = ", ".join(_value(column) for column in table.c)
    # Copies outside, originals inside: rows lie on the disk as they would have come, the oldest first.
    copies = "(SELECT copy FROM generate_series($1::bigint, 1, -1) AS copy) AS copies"
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {copies} CROSS JOIN original_{table.name}"


def _value(column: Column[Any]) -> str:
    if isinstance(column.type, Uuid):
        return f"earlier({column.name}, copy)"
    if isinstance(column.type, DateTime):
        return f"{column.name} - copy * interval '1 minute'"
    return f"{column.name} || '~' || copy" if column.name in _NAMED else column.name


@asynccontextmanager
async def _without_indexes(connection: "asyncpg.Connection[Any]", tables: Sequence[str]) -> AsyncIterator[None]:
    """Take the tables' indexes away and build them again at the end; what refers to them goes first, comes last."""
    constraints = await connection.fetch(_CONSTRAINTS, tables)
    indexes = await connection.fetch(_INDEXES, tables)
    for each in constraints:
        await connection.execute(f"ALTER TABLE {each['table']} DROP CONSTRAINT {each['name']}")
    for each in indexes:
        await connection.execute(f"DROP INDEX {each['name']}")
    yield
    for each in reversed(constraints):
        await connection.execute(f"ALTER TABLE {each['table']} ADD CONSTRAINT {each['name']} {each['definition']}")
    for each in indexes:
        await connection.execute(each["definition"])


# --- the ledger ---------------------------------------------------------------------------------------------------


async def _extend_ledger(connection: "asyncpg.Connection[Any]", copies: int) -> list[Pool]:
    """Post each life's transfers once more for each copy; return the pools as they are then."""
    pools = [Pool(**row) for row in await connection.fetch("SELECT * FROM pools")]
    names = [column.name for column in disbursement.transfers.c]
    query = "SELECT command, document FROM transfers WHERE pool = $1 AND award_id IS NOT NULL ORDER BY version"
    for pool in pools:
        found = [(row["command"], _read(row["document"])) for row in await connection.fetch(query, pool.pool)]
        rows: list[tuple[Any, ...]] = []
        for row in _posted(pool, found, copies):
            rows.append(tuple(row[name] for name in names))
            if len(rows) == _ROWS_AT_ONCE:
                await connection.copy_records_to_table("transfers", columns=names, records=rows)
                rows = []
        await connection.copy_records_to_table("transfers", columns=names, records=rows)
        await connection.execute(
            "UPDATE pools SET version = $2, hash = $3, available = $4, committed = $5, obligated = $6, disbursed = $7 "
            "WHERE pool = $1",
            *(pool.pool, pool.version, pool.hash, pool.available, pool.committed, pool.obligated, pool.disbursed),
        )
    return pools


def _read(document: str) -> TransferPosted:
    event = decode(_TRANSFER, document.encode())
    assert isinstance(event, TransferPosted), "it was stored as one"
    return event


def _posted(pool: Pool, originals: Sequence[tuple[str, TransferPosted]], copies: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of the copies' transfers; the pool moves with each."""
    for copy in range(1, copies + 1):
        for command, original in originals:
            rules.move(pool, original.source, original.to, original.money.amount)
            pool.version += 1
            ids = {name: _earlier(getattr(original, name), copy) for name in _OWN_IDS}
            event = msgspec.structs.replace(
                original,
                **ids,
                version=pool.version,
                previous_hash=pool.hash,
                hash="",
                balances=Balances(pool.available, pool.committed, pool.obligated, pool.disbursed),
            )
            data = seal(event)
            pool.hash = event.hash
            cause, _, about = command.partition(":")
            yield {
                **{name: ids[name] for name in _OWN_IDS if name != "application_id"},
                "pool": pool.pool,
                "version": pool.version,
                "command": f"{cause}:{_earlier(UUID(about), copy)}",
                "source": event.source,
                "target": event.to,
                "amount": event.money.amount,
                "scheme": event.scheme,
                "hash": event.hash,
                "document": data.decode(),
                "posted_at": event.posted_at,
            }


def _earlier(identifier: UUID | None, copy: int) -> UUID | None:
    """Return what ``earlier`` gives in the database."""
    return None if identifier is None else UUID(int=identifier.int - (copy * _MS_PER_COPY << 80))


async def _follow(connection: "asyncpg.Connection[Any]", pools: Sequence[Pool], copies: int) -> None:
    """Let the projection's totals and pools be those after the copies."""
    for pool in pools:
        amounts = (pool.available, pool.committed, pool.obligated, pool.disbursed)
        await connection.execute(
            "UPDATE pools SET version = $2, hash = $3, available = $4, committed = $5, obligated = $6, disbursed = $7, "
            "carried_available = $4, carried_committed = $5, carried_obligated = $6, carried_disbursed = $7 "
            "WHERE pool = $1",
            *(pool.pool, pool.version, pool.hash, *amounts),
        )
    await connection.execute("UPDATE tallies SET value = value * $1", copies + 1)
    for name in ("scheme_balances", "flows"):  # an opening is no part of a life
        await connection.execute(f"UPDATE {name} SET amount = amount * $1 WHERE scheme <> ''", copies + 1)
