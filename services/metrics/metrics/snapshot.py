"""Reads the projection at one moment: everything that ``/metrics`` and ``/v1`` show comes from here."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Text
from metrics.parties import read_behind
from metrics.rules import books, disclosure, forecast
from metrics.rules.books import Pool
from metrics.rules.disclosure import Behind, Cell, Disclosed
from metrics.rules.forecast import Pace
from metrics.rules.tallies import Tally
from metrics.tables import (
    envelope_years,
    envelopes,
    flows,
    parked,
    pools,
    progress,
    scheme_balances,
    tallies,
)

By = Literal["scheme", "district", "month"]
Part = Literal["district", "month"]


class Snapshot(msgspec.Struct, frozen=True):
    """The projection as of ``now``. Amounts in fen."""

    now: datetime
    pools: Sequence[Pool]
    scheme_balances: Mapping[tuple[str, str, str], int]
    """by (pool, scheme, state)"""
    disbursed: Mapping[tuple[str, str, str], int]
    """by (pool, scheme, district)"""
    tallies: Mapping[Tally, int]
    envelopes: Mapping[str, int]
    """by scheme: what it may commit in this fiscal year; a scheme without a limit is not in it"""
    used: Mapping[str, int]
    """by scheme: what awards of this fiscal year hold or have paid"""
    paces: Mapping[str, Pace]
    last_event_at: datetime | None


async def read(connection: AsyncConnection, calendar: ZoneInfo) -> Snapshot:
    """Return the whole projection; ``connection`` has to be a snapshot (``kit.database``)."""
    local = (await moment(connection)).astimezone(calendar)
    return Snapshot(
        now=local,
        pools=await read_pools(connection),
        scheme_balances=await read_scheme_balances(connection),
        disbursed=await _disbursed(connection),
        tallies=await read_tallies(connection),
        envelopes=await _envelopes(connection, books.year_of(local)),
        used=await _used(connection, books.year_of(local)),
        paces=await _paces(connection, local.date()),
        last_event_at=(await connection.execute(select(func.max(progress.c.last_event_at)))).scalar_one(),
    )


async def moment(connection: AsyncConnection) -> datetime:
    """Return when this snapshot was taken."""
    now: datetime = (await connection.execute(select(func.now()))).scalar_one()
    return now


async def read_pools(connection: AsyncConnection) -> list[Pool]:
    rows = await connection.execute(select(pools).order_by(pools.c.pool))
    return [Pool(**row) for row in rows.mappings()]


async def read_tallies(connection: AsyncConnection) -> dict[Tally, int]:
    rows = await connection.execute(select(tallies).order_by(*tallies.primary_key.columns))
    return {(row.name, row.scheme, row.label): row.value for row in rows}


async def read_drawdown(connection: AsyncConnection, pool: str, by: By) -> list[Cell]:
    """Return a pool's drawdown per scheme, district or month (``YYYY-MM``), sorted: all of it, so not for everybody."""
    key = _KEYS[by].label("key")
    query = (
        select(key, (-_sum_of("available")).label("promised"), _sum_of("disbursed").label("disbursed"))
        .where(flows.c.pool == pool)
        .group_by(key)
        .order_by(key)
    )
    rows = await connection.execute(query)
    return [Cell(row.key, int(row.promised), int(row.disbursed)) for row in rows]


async def read_disclosed(connection: AsyncConnection, by: Part) -> dict[str, Disclosed]:
    """Return what may be shown of each pool's districts or months (``rules.disclosure``), by pool."""
    behind = await read_behind(connection, by)
    key = _KEYS[by].label("key")
    query = (
        select(flows.c.pool, key, (-_sum_of("available")).label("promised"), _sum_of("disbursed").label("disbursed"))
        .group_by(flows.c.pool, key)
        .order_by(flows.c.pool, key)
    )
    cells: dict[str, list[Cell]] = {}
    for row in await connection.execute(query):
        promised_to, paid_to = (
            behind.get((row.pool, row.key, state), Behind()) for state in ("available", "disbursed")
        )
        cells.setdefault(row.pool, []).append(
            Cell(row.key, int(row.promised), int(row.disbursed), promised_to, paid_to)
        )
    return {pool: disclosure.disclose(found) for pool, found in cells.items()}


async def read_titles(connection: AsyncConnection) -> dict[str, Text]:
    """Return the schemes' titles, as their policies have them; of what was heard before they were kept, none."""
    rows = await connection.execute(select(envelopes).where(envelopes.c.title_zh != ""))
    return {row.scheme: Text(row.title_zh, row.title_en) for row in rows}


async def read_parked(connection: AsyncConnection) -> int:
    """Return how many events could not be counted and wait for a person."""
    query = select(func.count()).select_from(parked).where(parked.c.state == "parked")
    return int((await connection.execute(query)).scalar_one())


_KEYS: Final[dict[By, Any]] = {
    "scheme": flows.c.scheme,
    "district": flows.c.district,
    "month": func.to_char(flows.c.day, "YYYY-MM"),
}


def _sum_of(state: str) -> Any:
    return func.coalesce(func.sum(flows.c.amount).filter(flows.c.state == state), 0)


async def read_scheme_balances(connection: AsyncConnection) -> dict[tuple[str, str, str], int]:
    """Leave out ``available``: it is the pool's, no scheme has any of its own."""
    labels = (scheme_balances.c.pool, scheme_balances.c.scheme, scheme_balances.c.state)
    query = select(*labels, func.sum(scheme_balances.c.amount).label("amount")).where(
        scheme_balances.c.state != "available"
    )
    rows = await connection.execute(query.group_by(*labels).order_by(*labels))
    return {(row.pool, row.scheme, row.state): int(row.amount) for row in rows}


async def _disbursed(connection: AsyncConnection) -> dict[tuple[str, str, str], int]:
    labels = (flows.c.pool, flows.c.scheme, flows.c.district)
    query = select(*labels, func.sum(flows.c.amount).label("amount")).where(flows.c.state == "disbursed")
    rows = await connection.execute(query.group_by(*labels).order_by(*labels))
    return {(row.pool, row.scheme, row.district): int(row.amount) for row in rows}


async def _envelopes(connection: AsyncConnection, year: int) -> dict[str, int]:
    """Take what disbursement has set for the year, and the policy's envelope for a scheme of which it has set none."""
    of_policies = await connection.execute(select(envelopes).where(envelopes.c.envelope.is_not(None)))
    of_year = await connection.execute(select(envelope_years).where(envelope_years.c.fiscal_year == year))
    published = {row.scheme: row.envelope for row in of_policies}
    return published | {row.scheme: row.appropriated for row in of_year}


async def _used(connection: AsyncConnection, year: int) -> dict[str, int]:
    query = (
        select(scheme_balances.c.scheme, func.sum(scheme_balances.c.amount).label("amount"))
        .where(scheme_balances.c.fiscal_year == year, scheme_balances.c.state != "available")
        .group_by(scheme_balances.c.scheme)
    )
    return {row.scheme: int(row.amount) for row in await connection.execute(query)}


async def _paces(connection: AsyncConnection, today: date) -> dict[str, Pace]:
    recent = func.sum(flows.c.amount).filter(flows.c.day >= forecast.window_start(today))
    query = (
        select(flows.c.pool, func.coalesce(-recent, 0).label("promised"), func.min(flows.c.day).label("first_day"))
        .where(flows.c.state == "available")
        .group_by(flows.c.pool)
    )
    return {row.pool: Pace(row.pool, int(row.promised), row.first_day) for row in await connection.execute(query)}
