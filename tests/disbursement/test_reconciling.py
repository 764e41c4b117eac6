"""The reconciliation as it runs: turns, ordinary life beside it, the topics, the report and the metrics."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import api, tables
from disbursement.problems import PROBLEMS
from disbursement.reconciliation import meters, queries, turns
from disbursement.reconciliation.loop import Reconciler
from disbursement.reconciliation.rules import CHECKS
from kit.database import Database
from kit.http import create_app
from kit.relay import Relay
from stack.kafka import Kafka
from stack.ports import free_ports
from tests.disbursement.books import Books
from tests.disbursement.life import Life
from tests.disbursement.scenes import POOL, approved
from tests.disbursement.test_reconciliation import BALANCE
from tests.kit.conftest import eventually

DAYS = 60
LOOKS = 6  # while it goes on, however fast it goes


@pytest.fixture
async def relay(books: Books, kafka: Kafka) -> AsyncIterator[None]:
    """A relay that publishes what the books say, until the test is over; the outbox is compared from here on."""
    relay = Relay(
        books.database, kafka.bootstrap, source="disbursement", holder="test", poll_seconds=0.005, lease_seconds=5
    )
    stop = asyncio.Event()
    running = asyncio.create_task(relay.run(stop))
    await eventually(lambda: _published(books))
    await books.look()
    assert {row.next_offset for row in await books.rows(tables.topic_positions)} != {-1}
    yield
    stop.set()
    await running


async def _published(books: Books) -> bool:
    async with books.database.reading() as connection:
        left = text("SELECT count(*) = 0 FROM outbox WHERE id > (SELECT cursor FROM relay)")
        return bool((await connection.execute(left)).scalar_one())


@pytest.mark.usefixtures("relay")
async def test_in_ordinary_life_nothing_differs_at_any_moment(books: Books) -> None:
    life = Life(books, seed=1)
    looks = 0

    async def live() -> None:
        days = 0
        while days < DAYS or looks < LOOKS:
            await life.day()
            days += 1

    writing = asyncio.create_task(live())
    while not writing.done():
        assert await books.look(sums=looks % 3 == 0) == set(), await books.rows(tables.reconciliations)
        looks += 1
    await writing
    assert await books.look() == set()
    reasons = {row.command.partition(":")[0] for row in await books.rows(tables.transfers)}
    assert len(reasons) > 6, reasons


async def test_an_event_that_is_not_on_its_topic_holds_the_pool_that_it_speaks_of(books: Books) -> None:
    sent = "UPDATE relay SET cursor = (SELECT max(id) FROM outbox)"  # as a relay says that has sent everything
    await books.spoil(sent)
    assert await books.look() == set()
    said = await books.tell(approved(100_000))
    await books.spoil(sent)

    assert await books.look() == {("outbox", POOL)}

    detail = await books.detail("outbox")
    assert detail.count("was published and is not on disbursement.") == len(said)
    assert "drawdown.transfer.posted.v1" in detail
    assert await books.on_hold() is not None


async def test_without_kafka_the_books_are_reconciled_and_the_topics_grow_old(books: Books) -> None:
    await books.look()
    before = {row.check_name: row.checked_at for row in await books.rows(tables.reconciliations)}
    [nobody] = free_ports(1)
    alone = Reconciler(books.database, f"127.0.0.1:{nobody}", every_seconds=1, sums_every_seconds=1)

    assert await alone.look(sums=True) == set()

    after = {row.check_name: row.checked_at for row in await books.rows(tables.reconciliations)}
    assert [check for check in CHECKS if after[check] == before[check]] == ["outbox"]


async def test_a_look_is_given_up_when_the_process_stops_and_the_next_one_need_not_wait_for_it(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, ask = asyncio.Event(), queries.pools

    async def ask_and_stop(connection: AsyncConnection) -> Any:
        stop.set()
        return await ask(connection)

    monkeypatch.setattr(queries, "pools", ask_and_stop)
    await asyncio.wait_for(books.reconciler.run(stop), 10)

    assert await books.rows(tables.reconciliations) == []
    async with books.database.reading() as connection:
        left = text("SELECT count(*) FROM reconciliation_turns WHERE done_at IS NULL")
        assert (await connection.execute(left)).scalar_one() == 0


async def test_the_loop_finds_what_is_spoilt_and_sees_soon_that_it_was_mended(books: Books) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(books.reconciler.run(stop))

    async def entries() -> int:
        found = [row.difference for row in await books.rows(tables.reconciliations) if row.check_name == "entries"]
        return found[0] if found else -1

    async def is_held() -> bool:
        return await entries() == 10 and await books.on_hold() is not None

    async def agrees() -> bool:
        return await entries() == 0

    await eventually(agrees)
    await books.spoil(BALANCE)
    await eventually(is_held)
    await books.spoil("UPDATE pools SET available = available + 5, committed = committed - 5")
    await eventually(agrees)
    stop.set()
    await running


async def test_a_turn_is_kept_for_as_long_as_a_look_takes(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, ask = asyncio.Event(), queries.pools
    taken: list[Any] = []

    async def taken_at() -> Any:
        async with books.database.reading() as connection:
            query = text("SELECT taken_at FROM reconciliation_turns WHERE name = 'look' AND done_at IS NULL")
            return (await connection.execute(query)).scalar_one()

    async def kept() -> bool:
        return bool(await taken_at() > taken[0])

    async def ask_for_long(connection: AsyncConnection) -> Any:
        taken.append(await taken_at())
        await eventually(kept)
        stop.set()
        return await ask(connection)

    monkeypatch.setattr(turns, "KEEP_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(queries, "pools", ask_for_long)
    await asyncio.wait_for(books.reconciler.run(stop), 20)
    assert len(taken) == 1


async def test_processes_take_turns(database: Database, books: Books) -> None:
    async def take(every_seconds: float = 0.0) -> bool:
        async with database.transaction() as connection:
            return await turns.take(connection, "test", every_seconds)

    assert [await take(), await take()] == [True, False], "the first has not finished"
    async with database.transaction() as connection:
        await turns.done(connection, "test")
    assert [await take(60), await take()] == [False, True], "not more often than asked for"
    await books.spoil("UPDATE reconciliation_turns SET taken_at = now() - interval '1 hour'")
    assert await take(), "whoever took it is dead"


async def test_the_report_says_what_differs_where_and_since_when(books: Books) -> None:
    app = create_app(service="disbursement", title="disbursement", description="", trouble={}, own_problems=PROBLEMS)
    app.include_router(api.router(api.Parts(books.database)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
        never = (await client.get("/v1/reconciliation")).json()
        await books.look()
        right = (await client.get("/v1/reconciliation")).json()
        await books.spoil(f"{BALANCE}; INSERT INTO known_flaws VALUES ('test-pool', 9, 'OPS-7', 'li.wei', now())")
        await books.look()
        wrong = (await client.get("/v1/reconciliation")).json()

    assert (never["checked_at"], {item["difference"] for item in never["items"]}) == (None, {None})
    assert (right["differences"], right["checked_at"] is None) == (0, False)
    assert [item["check"] for item in right["items"]] == list(CHECKS)
    assert (wrong["differences"], wrong["known_flaws"][0]["why"]) == (1, "OPS-7")
    [entries] = [item for item in wrong["items"] if item["check"] == "entries"]
    assert entries["difference"] == {"amount": 10, "currency": "CNY"}
    assert entries["found_at"] == entries["checked_at"] == wrong["checked_at"]
    assert entries["detail"] == [
        "pool test-pool: available is 880,999.95, its transfers make 881,000.00",
        "pool test-pool: committed is 60,000.05, its transfers make 60,000.00",
    ]


async def test_the_metrics_are_the_stored_results(books: Books, database: Database) -> None:
    async def scraped() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families((await meters.renderer(database)()).decode())
        return {
            (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
        }

    assert await scraped() == {}, "nothing was checked yet"
    await books.look()
    await books.spoil(BALANCE)
    await books.look()

    found = await scraped()
    differences = {labels[1:]: value for labels, value in found.items() if labels[0].endswith("difference_yuan")}
    assert differences == {(check, POOL): 0.1 if check == "entries" else 0.0 for check in CHECKS}
    [oldest] = [row.checked_at for row in await books.rows(tables.reconciliations) if row.check_name == "chain"]
    assert found["drawdown_reconciliation_timestamp_seconds",] == oldest.timestamp()
