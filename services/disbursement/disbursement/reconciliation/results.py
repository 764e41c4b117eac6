"""Keeps what was found, and holds the pools that it concerns; both in one transaction, under the pools' locks.

So whoever wants to resume a pool, which takes the same lock, sees either no difference or this one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import appropriations, lines, loading, store, tables
from disbursement.needs import Needs
from disbursement.reconciliation.ledger import Checkpoints
from disbursement.reconciliation.rules import CHECKS, Result
from kit.outbox import Announcements
from kit.published import Position
from kit.topic_reader import Place

Key = tuple[str, str]
"""A check and a pool."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One stored result; ``found_at`` is when the present difference was first seen."""

    check_name: str
    pool: str
    difference: int
    detail: str
    found_at: datetime | None
    checked_at: datetime


async def read(connection: AsyncConnection) -> dict[Key, Kept]:
    """Return the last result of each check on each pool."""
    columns = tables.reconciliations.c
    rows = await connection.execute(select(tables.reconciliations).order_by(columns.pool, columns.check_name))
    return {(row["check_name"], row["pool"]): Kept(**row) for row in rows.mappings()}


def checked_at(kept: Mapping[Key, Kept], pools: Sequence[str]) -> datetime | None:
    """Return since when nothing is older: the time of the result that is oldest. None while one was never made."""
    found = [kept.get((check, pool)) for check in CHECKS for pool in pools]
    times = [each.checked_at for each in found if each is not None]
    return min(times) if times and len(times) == len(found) else None


async def keep(
    connection: AsyncConnection,
    results: Sequence[Result],
    checkpoints: Checkpoints,
    positions: Mapping[Place, Position],
    now: datetime,
) -> tuple[Announcements, list[Kept], list[Key]]:
    """Store results of ``now``; return what is to be told, the differences that are new, and those that are gone."""
    said = await _hold(connection, [each for each in results if each.difference], now)
    before = {key: kept for key, kept in (await read(connection)).items() if kept.difference}
    kept = [_kept(result, before.get((result.check, result.pool)), now) for result in results]
    await _upsert(connection, tables.reconciliations, kept)
    await _store_checkpoints(connection, checkpoints)
    await _store_positions(connection, positions)
    new = [each for each in kept if each.difference and each.found_at == now]
    gone = [(each.check_name, each.pool) for each in kept if not each.difference]
    return said, new, [key for key in gone if key in before]


def _kept(result: Result, before: Kept | None, now: datetime) -> Kept:
    since = (before.found_at if before else now) if result.difference else None
    return Kept(
        check_name=result.check,
        pool=result.pool,
        difference=result.difference,
        detail=result.detail,
        found_at=since,
        checked_at=now,
    )


async def _hold(connection: AsyncConnection, differing: Sequence[Result], now: datetime) -> Announcements:
    """Award nothing more from these pools, and tell those who stand first in line."""
    if not differing:
        return Announcements()
    pools = {each.pool for each in differing}
    book = await loading.load(connection, Needs(pools=pools, frees=True), now)
    for name in sorted(pools):
        if book.pools[name].on_hold is None:
            checks = ", ".join(sorted({each.check for each in differing if each.pool == name}))
            appropriations.hold(book, book.pools[name], f"the reconciliation found a difference: {checks}")
            lines.tell_again(book, name)
    store.store(connection, book)
    return book.said


async def _store_checkpoints(connection: AsyncConnection, checkpoints: Checkpoints) -> None:
    rows = [{"reader": reader, **msgspec.structs.asdict(at)} for (_, reader), at in checkpoints.items()]
    await _upsert(connection, tables.ledger_checkpoints, rows)


async def _store_positions(connection: AsyncConnection, positions: Mapping[Place, Position]) -> None:
    rows = [
        {"topic": topic, "partition": number, **msgspec.structs.asdict(at)} for (topic, number), at in positions.items()
    ]
    await _upsert(connection, tables.topic_positions, rows)


async def _upsert(connection: AsyncConnection, table: Table, records: Iterable[Any]) -> None:
    rows = [record if isinstance(record, dict) else msgspec.structs.asdict(record) for record in records]
    if not rows:
        return
    statement = insert(table).values(rows)
    keys = [column.name for column in table.primary_key]
    news = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=news))
