"""Loads and stores a batch's rows, and adds its differences to the totals: a few statements, however many events.

Tables are always taken in the same order and their rows in the order of their keys, so that two workers with
different partitions never wait for each other in a ring.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, Table, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from contracts.events import ApplicationEvent, ClaimPaid, ClaimSubmitted, Event, PaymentInstructed, TransferPosted
from metrics.projection import Projection
from metrics.rules.books import Pool
from metrics.rules.lifecycle import Application, Claim
from metrics.tables import (
    applications,
    award_years,
    claims,
    envelope_years,
    envelopes,
    flows,
    parties,
    pools,
    progress,
    scheme_balances,
    tallies,
)

_CLAIM_EVENTS: Final = (ClaimSubmitted, ClaimPaid, PaymentInstructed)


def _given(table: Table) -> Any:
    """Return a FROM item of the rows that are handed in as one array per column."""
    arrays = [bindparam(each.name, type_=ARRAY(each.type)) for each in table.c]
    names = [column(each.name, each.type) for each in table.c]
    return func.unnest(*arrays).table_valued(*names, name="given").render_derived()


def _insert(table: Table) -> Insert:
    given = _given(table)
    return insert(table).from_select([each.name for each in table.c], select(*given.c))


def _storing(table: Table) -> Insert:
    """Return the statement that stores whole rows over what was there."""
    statement = _insert(table)
    values = {each.name: statement.excluded[each.name] for each in table.c if not each.primary_key}
    return statement.on_conflict_do_update(index_elements=table.primary_key.columns, set_=values)


def _adding(table: Table) -> Insert:
    """Return the statement that adds differences to a total."""
    statement = _insert(table)
    (total,) = [each for each in table.c if not each.primary_key]
    values = {total.name: total + statement.excluded[total.name]}
    return statement.on_conflict_do_update(index_elements=table.primary_key.columns, set_=values)


def _locking(table: Table) -> ReturningInsert[Any]:
    """Return the statement that locks rows by their key and gives them back, making those that are missing.

    A row that two partitions tell of for the first time at once must not be made twice: an insert waits for the
    other one, where a select would see nothing.
    """
    (key,) = table.primary_key.columns
    statement = insert(table).from_select([key.name], select(func.unnest(bindparam("keys", type_=ARRAY(key.type)))))
    return statement.on_conflict_do_update(
        index_elements=[key], set_={key.name: statement.excluded[key.name]}
    ).returning(table)


_LOCKING: Final = {table: _locking(table) for table in (applications, claims, pools)}
_STORING: Final = {
    table: _storing(table) for table in (applications, claims, pools, award_years, envelopes, envelope_years)
}
_ADDING: Final = {table: _adding(table) for table in (tallies, scheme_balances, flows)}
_PROGRESS: Final = _insert(progress)
_JOINING: Final = _insert(parties).on_conflict_do_nothing()
_ADVANCING: Final = _PROGRESS.on_conflict_do_update(
    index_elements=[progress.c.topic],
    set_={"last_event_at": func.greatest(progress.c.last_event_at, _PROGRESS.excluded.last_event_at)},
)


# --- a batch -------------------------------------------------------------------------------------------------


async def load(connection: AsyncConnection, projection: Projection, events: Sequence[Event]) -> None:
    """Take in, locked, every row that these events touch."""
    transfers = [event for event in events if isinstance(event, TransferPosted)]
    claimed = {event.claim_id for event in events if isinstance(event, _CLAIM_EVENTS)}
    applied = {
        event.application_id
        for event in events
        if isinstance(event, ApplicationEvent) and not isinstance(event, PaymentInstructed)
    }
    for row in await _lock(connection, applications, applied):
        projection.take(Application(**row))
    for row in await _lock(connection, claims, claimed):
        projection.take(Claim(**row))
    for row in await _lock(connection, pools, {transfer.pool for transfer in transfers}):
        projection.take(Pool(**row))
    awards = {transfer.award_id for transfer in transfers if transfer.award_id is not None}
    if awards:
        known = await connection.execute(select(award_years).where(award_years.c.award_id.in_(awards)))
        projection.award_years |= {row.award_id: row.fiscal_year for row in known}


async def _lock(connection: AsyncConnection, table: Table, keys: Iterable[Any]) -> list[dict[str, Any]]:
    wanted = sorted(keys)
    if not wanted:
        return []
    rows = await connection.execute(_LOCKING[table], {"keys": wanted})
    return [dict(row) for row in rows.mappings()]


async def store(connection: AsyncConnection, projection: Projection) -> None:
    """Store the rows and add the differences."""
    await _store(connection, _STORING[applications], applications, projection.applications.values())
    await _store(connection, _STORING[claims], claims, projection.claims.values())
    await _store(connection, _STORING[pools], pools, projection.pools.values())
    await _put(connection, _STORING[award_years], award_years, projection.award_years.items())
    await _store(connection, _STORING[envelopes], envelopes, projection.envelopes.values())
    years = [(*key, amount) for key, amount in projection.envelope_years.items()]
    await _put(connection, _STORING[envelope_years], envelope_years, years)
    for table, changes in (
        (tallies, projection.tallies()),
        (scheme_balances, projection.scheme_balances),
        (flows, projection.flows),
    ):
        rows = [(*labels, change) for labels, change in changes.items() if change]
        await _put(connection, _ADDING[table], table, rows)
    await _put(connection, _JOINING, parties, [(*party,) for party in projection.parties])
    await _put(connection, _ADVANCING, progress, projection.last_event_at.items())


async def _store(connection: AsyncConnection, statement: Insert, table: Table, records: Iterable[Any]) -> None:
    names = [each.name for each in table.c]
    await _put(connection, statement, table, [tuple(getattr(record, name) for name in names) for record in records])


async def _put(connection: AsyncConnection, statement: Insert, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Send rows as one array per column, sorted by key: the primary key's columns come first in every table."""
    keys = len(table.primary_key.columns)
    ordered = sorted(rows, key=lambda row: row[:keys])
    if ordered:
        arrays = zip(*ordered, strict=True)
        await connection.execute(statement, dict(zip((each.name for each in table.c), map(list, arrays), strict=True)))
