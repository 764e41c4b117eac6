"""The floor: the very rows that ours has just written, written again into a copy of its database, and nothing else.

The rows are read from our database after each turn, ready for the driver before the clock starts. They are written in
as many transactions as ours took: no events are decoded, nothing is decided, nothing is read. Rows that every batch
changes (pools, envelopes, offsets) are changed by every batch here too.

There are two: inserts by UNNEST, one array for each column, which is how batches are usually written; and by binary
COPY, as ours does it, which leaves nothing but what deciding costs. Updates are by arrays in both.
"""

import time
from functools import cache
from typing import Any, Final, Literal, Self

import asyncpg
import msgspec
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from disbursement import tables

_IGNORED: Final = ("relay", "idempotency", "redrive_audit", "parked")
_CHANGED: Final = "SELECT {names} FROM {table} WHERE xmin::text::bigint >= $1"
_Rows = list[tuple[Any, ...]]
Way = Literal["unnest", "copy"]
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


class Writes(msgspec.Struct):
    """What one transaction writes into one table."""

    table: Table
    inserts: _Rows
    updates: _Rows


class Floor:
    """Follows our database: ``catch_up`` with what happened apart from the clock, ``capture`` and ``run`` a turn."""

    def __init__(self, ours: asyncpg.Connection, own: asyncpg.Connection, way: Way) -> None:
        self._ours = ours
        self._own = own
        self._way = way
        self._seen = 0
        self._keys: dict[str, set[tuple[Any, ...]]] = {}
        self._batches: list[list[Writes]] = []
        self._tables = [table for table in tables.metadata.sorted_tables if table.name not in _IGNORED]

    @classmethod
    async def open(cls, ours: str, own: str, way: Way) -> Self:
        """Begin where both databases are alike."""
        floor = cls(await asyncpg.connect(ours), await asyncpg.connect(own), way)
        floor._seen = await floor._now()
        for table in floor._tables:
            names = ", ".join(f'"{column.name}"' for column in table.primary_key)
            rows = await floor._own.fetch(f"SELECT {names} FROM {table.name}")
            floor._keys[table.name] = {tuple(row) for row in rows}
        return floor

    async def catch_up(self) -> None:
        """Write what ours has written since the last time, in one go."""
        await self.capture(1)
        await self.run()

    async def capture(self, batches: int) -> int:
        """Read what ours has written since the last time, and part it into so many batches; return the rows."""
        self._batches = [[] for _ in range(batches)]
        count = 0
        for table in self._tables:
            inserts, updates = await self._changed(table)
            count += len(inserts) + len(updates)
            for number, batch in enumerate(self._batches):
                share = updates if len(updates) < batches else _part(updates, number, batches)
                batch.append(Writes(table, _part(inserts, number, batches), share))
        self._seen = await self._now()
        return count

    async def run(self) -> float:
        """Write the batches; return the seconds that it took."""
        began = time.perf_counter()
        for batch in self._batches:
            async with self._own.transaction():
                for writes in batch:
                    await self._write(writes)
        return time.perf_counter() - began

    async def close(self) -> None:
        await self._ours.close()
        await self._own.close()

    async def _now(self) -> int:
        return int(await self._ours.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))

    async def _changed(self, table: Table) -> tuple[_Rows, _Rows]:
        """Return the rows of ours that are new, and those that our copy has otherwise."""
        names = ", ".join(f'"{column.name}"' for column in table.c)
        rows = await self._ours.fetch(_CHANGED.format(names=names, table=table.name), self._seen)
        places = [list(table.c).index(column) for column in table.primary_key]
        known = self._keys[table.name]
        inserts: _Rows = []
        updates: _Rows = []
        for row in map(tuple, rows):
            key = tuple(row[place] for place in places)
            (updates if key in known else inserts).append(row)
            known.add(key)
        return inserts, updates

    async def _write(self, writes: Writes) -> None:
        if writes.inserts and self._way == "copy":
            names = [column.name for column in writes.table.c]
            await self._own.copy_records_to_table(writes.table.name, records=writes.inserts, columns=names)
        elif writes.inserts:
            await self._own.execute(_insert(writes.table), *map(list, zip(*writes.inserts, strict=True)))
        if writes.updates:
            columns = map(list, zip(*writes.updates, strict=True))
            await self._own.execute(_update(writes.table), *columns, len(writes.updates))


def _part(rows: _Rows, number: int, of: int) -> _Rows:
    return rows[len(rows) * number // of : len(rows) * (number + 1) // of]


def _arrays(table: Table) -> str:
    return ", ".join(f"${at}::{column.type.compile(_DIALECT)}[]" for at, column in enumerate(table.c, 1))


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.c)


@cache
def _insert(table: Table) -> str:
    return f"INSERT INTO {table.name} ({_names(table)}) SELECT * FROM unnest({_arrays(table)})"


@cache
def _update(table: Table) -> str:
    keys = {column.name for column in table.primary_key}
    arrays, names = _arrays(table), _names(table)
    sets = ", ".join(f'"{column.name}" = given."{column.name}"' for column in table.c if column.name not in keys)
    found = " AND ".join(f'stored."{name}" = given."{name}"' for name in keys)
    given = f"(SELECT * FROM unnest({arrays}) LIMIT ${len(table.c) + 1}) AS given({names})"  # why: kit.rows
    return f"UPDATE {table.name} AS stored SET {sets} FROM {given} WHERE {found}"
