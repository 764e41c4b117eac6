"""pgbench's floor: the rows of accepted applications, written with no Python, one or a hundred in a transaction."""

from pathlib import Path
from typing import Any, Final

import asyncpg

from benchmarks.harness import pgbench
from benchmarks.harness.rounds import Run
from benchmarks.peers.synchronous.tuned import CONNECTIONS

# Each table with the columns whose values are of the row's own; the others are copied from a row that ours has written.
_OWN: Final = {
    "applications": {"application_id": "uuidv7()", "number": "'CV-2026-' || nextval('application_number_seq')"},
    "timeline": {"application_id": "application_id"},
    "outbox": {"id": "nextval('outbox_id_seq')", "event_id": "uuidv7()", "created_at": "now()"},
    "idempotency": {"key": "application_id::text", "created_at": "now()"},
}
_COLUMNS: Final = """
SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema = 'public'
ORDER BY ordinal_position
"""


async def script(written: str, dsn: str, rows: int) -> str:
    """Return a transaction that writes as many applications as ``rows``, with copies of rows of ``written``."""
    source, target = await asyncpg.connect(written), await asyncpg.connect(dsn)
    try:
        parts = {table: await _insert(source, target, table) for table in _OWN}
    finally:
        await source.close()
        await target.close()
    first = parts.pop("applications")
    last = parts.pop("idempotency")
    between = ", ".join(f"in_{table} AS ({insert} FROM made)" for table, insert in parts.items())
    series = f"FROM generate_series(1, {rows})"
    return f"WITH made AS ({first} {series} RETURNING application_id), {between} {last} FROM made;\n"


async def _insert(source: Any, target: Any, table: str) -> str:
    """Return the insert up to its FROM. What is copied is kept in a table of one row: the script stays short."""
    names = [row[0] for row in await source.fetch(_COLUMNS, table)]
    copied = [name for name in names if name not in _OWN[table]]
    [kept] = await source.fetch(
        f"SELECT {', '.join(f'{name}::text AS {name}' for name in copied)} FROM {table} LIMIT 1"
    )
    kinds = {row[0]: row[1] for row in await source.fetch(_KINDS, table)}
    if not await target.fetchval("SELECT to_regclass($1)", f"one_{table}"):
        await target.execute(
            f"CREATE TABLE one_{table} AS SELECT {', '.join(_NULL.format(kinds[n], n) for n in copied)}"
        )
        values = ", ".join(f"{name} = ${number}::text::{kinds[name]}" for number, name in enumerate(copied, 1))
        await target.execute(f"UPDATE one_{table} SET {values}", *kept)
    values = ", ".join(_OWN[table].get(name, f"(SELECT {name} FROM one_{table})") for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"


_NULL: Final = "NULL::{0} AS {1}"
_KINDS: Final = "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = $1"


async def run(dsn: str, transaction: str, rows: int, seconds: float, directory: Path) -> Run:
    """Run it; return how many applications were written."""
    return await pgbench.run(dsn, transaction, seconds, directory, clients=CONNECTIONS, units=rows)
