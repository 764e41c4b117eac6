"""Loads and stores a batch's rows, and adds its differences to the totals: a few statements, however many events.

Tables are always taken in the same order and their rows in the order of their keys, so that two workers with
different partitions never wait for each other in a ring.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, Table, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from contracts.events import ApplicationEvent, ClaimPaid, ClaimSubmitted, Event, PaymentInstructed, TransferPosted
from kit.driver import Prepared
from kit.rows import Writes
from metrics import parties
from metrics.projection import Envelope, Projection
from metrics.rules.books import Pool
from metrics.rules.lifecycle import Application, Claim
from metrics.tables import (
    applications,
    award_years,
    claims,
    envelope_years,
    envelopes,
    flows,
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


def _advancing(table: Table) -> Insert:
    """Return the statement that keeps the later moment."""
    statement = _insert(table)
    latest = func.greatest(table.c.last_event_at, statement.excluded.last_event_at)
    return statement.on_conflict_do_update(index_elements=[table.c.topic], set_={"last_event_at": latest})


_KINDS: Final[dict[Table, type[msgspec.Struct]]] = {
    applications: Application,
    claims: Claim,
    pools: Pool,
    envelopes: Envelope,
}
for _table, _kind in _KINDS.items():
    assert tuple(_table.c.keys()) == _kind.__struct_fields__, "a record is its row, in order"

_LOCKING: Final = {table: Prepared(_locking(table)) for table in (applications, claims, pools)}
_STORING: Final = {
    **{table: Prepared(_storing(table)) for table in (*_KINDS, award_years, envelope_years)},
    **{table: Prepared(_adding(table)) for table in (tallies, scheme_balances, flows)},
    progress: Prepared(_advancing(progress)),
}
_YEARS: Final = Prepared(
    select(award_years.c.award_id, award_years.c.fiscal_year).where(
        award_years.c.award_id == func.any(bindparam("keys", type_=ARRAY(award_years.c.award_id.type)))
    )
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
    await _lock(connection, projection, applications, applied)
    await _lock(connection, projection, claims, claimed)
    await _lock(connection, projection, pools, {transfer.pool for transfer in transfers})
    awards = {transfer.award_id for transfer in transfers if transfer.award_id is not None}
    if awards:
        known = await _YEARS.rows(connection, keys=list(awards))
        projection.award_years |= {row["award_id"]: row["fiscal_year"] for row in known}


async def _lock(connection: AsyncConnection, projection: Projection, table: Table, keys: set[Any]) -> None:
    if keys:
        kind: Any = _KINDS[table]
        for record in await _LOCKING[table].records(connection, kind, keys=sorted(keys, key=_comparable)):
            projection.take(record)


async def store(connection: AsyncConnection, projection: Projection) -> None:
    """Store the rows and add the differences."""
    writes = Writes(connection)
    records: tuple[tuple[Table, Iterable[msgspec.Struct]], ...] = (
        (applications, projection.applications.values()),
        (claims, projection.claims.values()),
        (pools, projection.pools.values()),
    )
    for table, changed in records:
        _put(writes, table, map(msgspec.structs.astuple, changed))
    _put(writes, award_years, projection.award_years.items())
    _put(writes, envelopes, map(msgspec.structs.astuple, projection.envelopes.values()))
    years = [(*key, amount) for key, amount in projection.envelope_years.items()]
    _put(writes, envelope_years, years)
    for table, changes in (
        (tallies, projection.tallies()),
        (scheme_balances, projection.scheme_balances),
        (flows, projection.flows),
    ):
        _put(writes, table, [(*labels, change) for labels, change in changes.items() if change])
    companies = projection.companies()
    if projection.parties or companies:
        await writes.make()
        await parties.note(connection, projection.parties, companies)
    _put(writes, progress, projection.last_event_at.items())
    await writes.make()


def _put(writes: Writes, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Send rows as one array per column, sorted by key: the primary key's columns come first in every table."""
    keys = len(table.primary_key.columns)
    ordered = sorted(rows, key=lambda row: [_comparable(value) for value in row[:keys]])
    if ordered:
        statement = _STORING[table]
        given = dict(zip(table.c.keys(), zip(*ordered, strict=True), strict=True))
        writes.run(statement.text, statement.values(given))


def _comparable(value: Any) -> Any:
    """Return what sorts as the value does: UUIDs compare in Python, their numbers faster."""
    return value.int if isinstance(value, UUID) else value
