"""A batch on real PostgreSQL: what it stores is what its events say, however they are cut into batches."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from contracts.events import Event
from kit.database import Database
from metrics import snapshot, tables
from metrics.handlers import Handlers
from metrics.snapshot import Snapshot
from tests.metrics.conftest import SHENZHEN
from tests.metrics.story import DISTRICT, POOL, SCHEME, START, Case, Ledger, messages, one_paid_case, policy

MINUTES_A_DAY = 24 * 60


async def project(database: Database, handlers: Handlers, events: Sequence[Event], batch_size: int = 500) -> Snapshot:
    """Apply events in batches, as the consumer does, and read the projection."""
    received = list(messages(events))
    for start in range(0, len(received), batch_size):
        async with database.transaction() as connection:
            said = await handlers.handle(connection, received[start : start + batch_size], START)
        assert said == []
    async with database.snapshot() as connection:
        return await snapshot.read(connection, SHENZHEN)


def three_cases() -> list[Event]:
    ledger = Ledger()
    opening = [policy(), ledger.open()]
    return opening + [event for number in (1, 2, 3) for event in one_paid_case(ledger, Case(number), minutes=number)]


async def test_a_life_is_projected(database: Database, handlers: Handlers) -> None:
    taken = await project(database, handlers, three_cases())
    [pool] = taken.pools
    assert (pool.appropriated, pool.available) == (450_000_000_000, 450_000_000_000 - 180_000_000)
    assert (pool.committed, pool.obligated, pool.disbursed) == (180_000_000 - 37_037_034, 0, 37_037_034)
    assert (pool.version, pool.imbalance, pool.breaks) == (10, 0, 0)
    assert taken.disbursed == {(POOL, SCHEME, DISTRICT): 37_037_034}
    assert taken.scheme_balances[(POOL, SCHEME, "committed")] == pool.committed
    assert taken.tallies[("status", SCHEME, "awarded")] == 3
    assert taken.tallies[("claim_to_payment", SCHEME, "60")] == 3


@pytest.mark.parametrize("batch_size", [1, 2, 7])
async def test_batches_of_any_size_give_the_same(database: Database, handlers: Handlers, batch_size: int) -> None:
    taken = await project(database, handlers, three_cases(), batch_size)
    assert taken.tallies[("status", SCHEME, "awarded")] == 3
    assert taken.tallies.get(("status", SCHEME, "submitted"), 0) == 0
    assert taken.pools[0].disbursed == 37_037_034
    assert taken.tallies[("payment_to_settlement", SCHEME, "sum_microseconds")] == 180_000_000


async def test_a_missing_transfer_is_seen_and_said(database: Database, handlers: Handlers) -> None:
    ledger = Ledger()
    events = [ledger.open(), ledger.post("available", "committed", 500), ledger.post("available", "committed", 70)]
    with capture_logs() as logs:
        taken = await project(database, handlers, [events[0], events[2]])
    [pool] = taken.pools
    assert (pool.breaks, pool.last_break, pool.version) == (1, "version 3 follows version 1", 3)
    assert pool.imbalance == 1_000
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("ledger_chain_broken", "error"),
        ("pool_imbalanced", "error"),
    ]


async def test_a_transfer_that_comes_again_changes_nothing(database: Database, handlers: Handlers) -> None:
    ledger = Ledger()
    events: list[Event] = [ledger.open(), ledger.post("available", "committed", 500)]
    taken = await project(database, handlers, [*events, events[1], events[0]], batch_size=1)
    [pool] = taken.pools
    assert (pool.committed, pool.version, pool.breaks, pool.imbalance) == (500, 2, 0, 0)
    assert taken.scheme_balances == {(POOL, SCHEME, "committed"): 500}


async def test_an_award_is_paid_from_the_envelope_of_its_year(database: Database, handlers: Handlers) -> None:
    ledger, award = Ledger(), {"award_id": Case().award_id}
    december, january = (240 + 50) * MINUTES_A_DAY, (240 + 70) * MINUTES_A_DAY
    committed = ledger.post("available", "committed", 500, minutes=december, reason="award.issued", **award)
    paid = [
        ledger.post("committed", "obligated", 200, minutes=january, **award),
        ledger.post("obligated", "disbursed", 200, minutes=january, **award),
    ]
    await project(database, handlers, [committed, *paid], batch_size=1)
    async with database.reading() as connection:
        years = await connection.execute(select(tables.scheme_balances.c.fiscal_year).distinct())
        assert years.scalars().all() == [2026]


async def test_two_workers_that_meet_a_company_at_once_lose_nothing(database: Database, handlers: Handlers) -> None:
    cases = [Case(number) for number in range(40)]
    batches: list[list[Event]] = [
        [case.submitted() for case in cases],
        [case.approved() for case in reversed(cases)],
        [case.awarded() for case in cases],
    ]

    async def work(batch: list[Event]) -> None:
        async with database.transaction() as connection:
            await handlers.handle(connection, list(messages(batch)), START)

    await asyncio.gather(*[work(batch) for batch in batches])
    taken = await project(database, handlers, [])
    assert {tally: value for tally, value in taken.tallies.items() if tally[0] == "status" and value} == {
        ("status", SCHEME, "awarded"): 40
    }
    assert taken.tallies[("decision_to_award", SCHEME, "60")] == 40
