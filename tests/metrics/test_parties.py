"""Who is behind a sum, on real PostgreSQL: nobody is missed in any order, and no more are kept than can matter."""

import asyncio
from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import func, select

from contracts.events import ApplicationEvent, Event
from kit.database import Database
from metrics import parties, tables
from metrics.handlers import Handlers
from metrics.projection import company_of
from metrics.rules.disclosure import ENOUGH_COMPANIES, LEAST_COMPANIES, Behind
from tests.metrics.story import DISTRICT, POOL, START, Case, Ledger, messages, one_paid_case

PAID = (POOL, DISTRICT, "disbursed")


def applicant(number: int) -> str:
    return f"914403000000{number:06d}"


def paid_cases(count: int) -> list[Event]:
    """Cases of so many companies, all paid in one district and month."""
    ledger = Ledger()
    told: list[Event] = [ledger.open()]
    for number in range(count):
        told += one_paid_case(ledger, Case(number, applicant=applicant(number)))
    return told


def halves(told: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """Return what is told of applications, and what of money."""
    about: list[Event] = [event for event in told if isinstance(event, ApplicationEvent)]
    return about, [event for event in told if not isinstance(event, ApplicationEvent)]


async def apply(database: Database, handlers: Handlers, *batches: Sequence[Event]) -> None:
    for batch in batches:
        async with database.transaction() as connection:
            await handlers.handle(connection, list(messages(batch)), START)


async def behind(database: Database, by: str = "district") -> dict[tuple[str, str, str], Behind]:
    async with database.snapshot() as connection:
        return await parties.read_behind(connection, by)


async def rows(database: Database, table: str) -> int:
    async with database.reading() as connection:
        query = select(func.count()).select_from(tables.metadata.tables[table])
        return int((await connection.execute(query)).scalar_one())


def few(count: int) -> Behind:
    return Behind(count, frozenset(company_of(applicant(number)) for number in range(count)))


@pytest.mark.parametrize("money_first", [True, False])
async def test_whoever_comes_first_waits_for_the_other(
    database: Database, handlers: Handlers, money_first: bool
) -> None:
    about, moved = halves(paid_cases(3))
    await apply(database, handlers, *((moved, about) if money_first else (about, moved)))
    assert (await behind(database))[PAID] == few(3)
    assert (await behind(database, "month"))[(POOL, "2026-03", "disbursed")] == few(3)
    assert await rows(database, "parties") == 0


async def test_of_whom_nothing_was_heard_counts_for_nobody(database: Database, handlers: Handlers) -> None:
    _, moved = halves(paid_cases(2))
    await apply(database, handlers, moved)
    assert await behind(database) == {}
    assert await rows(database, "parties") == 4


async def test_nobody_is_missed_where_both_are_stored_at_once(database: Database, handlers: Handlers) -> None:
    about, moved = halves(paid_cases(1))
    async with database.transaction() as one, database.transaction() as other:
        await asyncio.gather(
            handlers.handle(one, list(messages(about[:-1])), START),
            handlers.handle(other, list(messages(moved)), START),
        )
    assert await rows(database, "parties") == 2, "neither saw the other"
    assert (await behind(database))[PAID] == few(1)
    await apply(database, handlers, about[-1:])
    assert await rows(database, "parties") == 0
    assert (await behind(database))[PAID] == few(1)


async def test_more_than_enough_are_not_kept(database: Database, handlers: Handlers) -> None:
    told = paid_cases(3 * ENOUGH_COMPANIES)
    size = len(told) // 12
    await apply(database, handlers, *(told[begin : begin + size] for begin in range(0, len(told), size)))
    found = await behind(database)
    assert found[PAID] == Behind(ENOUGH_COMPANIES)
    assert found.keys() == {PAID, (POOL, DISTRICT, "available")}
    assert await rows(database, "companies_behind") < 2 * (ENOUGH_COMPANIES + size)
    assert await rows(database, "parties") == 0


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_tells_the_same(database: Database, handlers: Handlers, seed: int) -> None:
    """Money and applications are told by topics of their own; within each the order stays."""
    random = Random(seed)
    count = random.choice([LEAST_COMPANIES - 1, LEAST_COMPANIES, ENOUGH_COMPANIES, ENOUGH_COMPANIES + 9])
    lanes = list(halves(paid_cases(count)))
    while any(lanes):
        lane = random.choice([lane for lane in lanes if lane])
        size = random.randint(1, 20)
        await apply(database, handlers, lane[:size])
        del lane[:size]
    named = few(count).few if count < LEAST_COMPANIES else frozenset[UUID]()
    assert (await behind(database))[PAID] == Behind(min(count, ENOUGH_COMPANIES), named)
    assert await rows(database, "parties") == 0
