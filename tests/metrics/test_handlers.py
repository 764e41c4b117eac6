"""A batch on real PostgreSQL: what it stores is what its events say, however they are cut into batches."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from contracts.events import Event
from kit.database import Database
from metrics import snapshot, tables
from metrics.handlers import Handlers
from metrics.snapshot import By, Snapshot
from tests.metrics.conftest import SHENZHEN
from tests.metrics.story import DISTRICT, POOL, SCHEME, START, Case, Ledger, messages, one_paid_case, policy

MINUTES_A_DAY = 24 * 60
BYS: tuple[By, ...] = get_args(By)


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


async def test_what_is_recovered_later_goes_back_to_the_year_of_its_award(
    database: Database, handlers: Handlers
) -> None:
    ledger, case = Ledger(), Case()
    events = [ledger.open(), *one_paid_case(ledger, case)]
    award: dict[str, Any] = {"award_id": case.award_id}
    next_year = 300 * MINUTES_A_DAY
    events.append(ledger.post("disbursed", "available", 2_345_678, minutes=next_year, **award))
    taken = await project(database, handlers, events, batch_size=3)
    [pool] = taken.pools
    assert (pool.available, pool.disbursed, pool.imbalance) == (450_000_000_000 - 57_654_322, 10_000_000, 0)
    assert taken.disbursed == {(POOL, SCHEME, DISTRICT): 10_000_000}
    assert taken.scheme_balances[(POOL, SCHEME, "disbursed")] == 10_000_000
    async with database.snapshot() as connection:
        by_month = await snapshot.read_drawdown(connection, POOL, "month")
        years = await connection.execute(select(tables.scheme_balances.c.fiscal_year).distinct())
        assert years.scalars().all() == [2026]
    assert [(each.key, each.promised, each.disbursed) for each in by_month] == [
        ("2026-03", 60_000_000, 12_345_678),
        ("2027-01", -2_345_678, -2_345_678),
    ]


async def test_what_is_given_back_or_committed_again_leaves_its_state(database: Database, handlers: Handlers) -> None:
    ledger, case = Ledger(), Case()
    award: dict[str, Any] = {"award_id": case.award_id}
    events = [
        ledger.open(),
        ledger.post("available", "committed", 900, reason="award.issued", **award),
        ledger.post("committed", "obligated", 500, **award),
        ledger.post("obligated", "committed", 500, reason="payment.cancelled", **award),
        ledger.post("committed", "available", 700, reason="award.closed", **award),
    ]
    taken = await project(database, handlers, events, batch_size=2)
    balances = [taken.scheme_balances.get((POOL, SCHEME, state), 0) for state in ("committed", "obligated")]
    assert balances == [200, 0]
    async with database.snapshot() as connection:
        for by in BYS:
            [each] = await snapshot.read_drawdown(connection, POOL, by)
            assert (each.promised, each.disbursed) == (200, 0), by


async def test_a_changed_appropriation_is_neither_promised_nor_disbursed(
    database: Database, handlers: Handlers
) -> None:
    ledger = Ledger()
    events = [ledger.open(1_000), ledger.post("available", "committed", 200), ledger.lower(300), ledger.raise_by(50)]
    taken = await project(database, handlers, events, batch_size=1)
    [pool] = taken.pools
    assert (pool.appropriated, pool.available, pool.imbalance, pool.breaks) == (750, 550, 0, 0)
    async with database.snapshot() as connection:
        [drawdown] = await snapshot.read_drawdown(connection, POOL, "scheme")
    assert (drawdown.key, drawdown.promised, drawdown.disbursed) == (SCHEME, 200, 0)


THIS_YEAR = datetime.now(SHENZHEN).year


@pytest.mark.parametrize(
    ("years", "envelope"),
    [
        ({}, 50_000_000_000),
        ({THIS_YEAR: 60_000_000_000}, 60_000_000_000),
        ({THIS_YEAR - 1: 1, THIS_YEAR + 1: 2}, 50_000_000_000),
        ({THIS_YEAR: 60_000_000_000, THIS_YEAR + 1: 2}, 60_000_000_000),
        ({THIS_YEAR: 0}, 0),
    ],
)
@pytest.mark.parametrize("policy_comes_last", [False, True])
async def test_an_envelope_is_what_was_set_for_this_year_else_the_policys(
    database: Database, handlers: Handlers, years: dict[int, int], envelope: int, *, policy_comes_last: bool
) -> None:
    ledger = Ledger()
    events: list[Event] = [ledger.set_envelope(amount, year=year) for year, amount in years.items()]
    events.insert(len(events) if policy_comes_last else 0, policy())
    taken = await project(database, handlers, events, batch_size=1)
    assert taken.envelopes == {SCHEME: envelope}


async def test_an_envelope_can_be_set_again_and_for_a_policy_without_one(
    database: Database, handlers: Handlers
) -> None:
    ledger = Ledger()
    events = [policy(envelope=None), ledger.set_envelope(5, year=THIS_YEAR), ledger.set_envelope(4, year=THIS_YEAR)]
    for batch_size in (1, 3):
        assert (await project(database, handlers, events, batch_size)).envelopes == {SCHEME: 4}
    assert (await project(database, handlers, [policy("opc-startup", None)])).envelopes == {SCHEME: 4}


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
