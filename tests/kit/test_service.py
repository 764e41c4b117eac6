"""A service as a process: it stops in order and in time whatever it is at, and says when it is stuck."""

import asyncio
import signal
import time

import pytest
from sqlalchemy import text

from kit.database import Database
from stack.kafka import Kafka
from tests.kit.broker import record_of, send
from tests.kit.conftest import company, event, eventually
from tests.kit.processes import Process

STOPPED_WITHIN_SECONDS = 15.0


@pytest.fixture
def settings(database: Database, database_url: str, kafka: Kafka, group: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "GROUP": group,
        "CONSUMER_MAX_BATCH_EVENTS": "10",
        "DATABASE_STATEMENT_TIMEOUT_SECONDS": "120",
    }


def small(settings: dict[str, str], **more: str) -> Process:
    return Process("SMALL", ["tests.kit.small"], settings | more)


async def load(kafka: Kafka, count: int = 300) -> None:
    await send(kafka.bootstrap, [record_of(event(company(), str(number))) for number in range(count)])


async def sleeping(database: Database) -> bool:
    """Whether a batch is in the middle of its transaction."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    async with database.reading() as connection:
        return bool((await connection.execute(text(query))).scalar_one())


async def handled(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM inbox"))).scalar_one())


async def test_under_load_it_stops_clean_and_answers_what_it_has_in_hand(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    with small(settings, BATCH_SECONDS="0.2") as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await load(kafka)
        await eventually(lambda: sleeping(database))
        asked = asyncio.create_task(process.get("/slow?seconds=1.5"))
        await asyncio.sleep(0.2)  # for the request to be in hand: nothing tells from outside
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        assert (await asked).json() == "done"
        [stopped] = process.logged("stopped")
        assert stopped["clean"] is True
        assert process.logged("consumer_waits") == []
    assert 0 < await handled(database) < 300, "it was stopped in the middle of its work"


async def test_a_batch_that_takes_too_long_is_rolled_back(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    with small(settings, BATCH_SECONDS="100") as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await load(kafka, 5)
        await eventually(lambda: sleeping(database))
        began = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        [late] = process.logged("stop_deadline_passed")
        assert late["tasks"] == ["consumer"]
        await eventually(lambda: _nobody_sleeps(database))
    assert await handled(database) == 0


async def _nobody_sleeps(database: Database) -> bool:
    return not await sleeping(database)


async def test_it_stops_in_time_while_the_broker_hangs(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    broker = kafka.nodes[0].identity
    assert broker is not None
    with small(settings) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        broker.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert await process.stop() == 0
            assert time.monotonic() - began < STOPPED_WITHIN_SECONDS
        finally:
            broker.send(signal.SIGCONT)


async def test_a_loop_that_was_cancelled_by_nobody_ends_the_process_loudly(settings: dict[str, str]) -> None:
    """To live on without it would look well for minutes; whoever watches the process starts it again."""
    with small(settings) as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await process.get("/cancel")
        await eventually(lambda: process.child.poll() is not None)
        assert process.child.returncode not in (0, 78)
        assert [died["loop"] for died in process.logged("loop_died")] == ["consumer"]


async def test_a_stuck_consumer_fails_liveness_with_the_reason(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    with small(settings, BATCH_SECONDS="100", STUCK_AFTER_SECONDS="1.5") as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await asyncio.sleep(2)  # longer than the limit: to have nothing to do is not to be stuck
        assert (await process.get("/health/live")).json()["status"] == "alive"
        await load(kafka, 5)
        await eventually(lambda: process.answers("/health/live", 503))
        said = (await process.get("/health/live")).json()
        assert said["status"] == "stuck"
        assert said["reason"].startswith("5 events wait and no batch was finished for")
        assert len(process.logged("consumer_stuck")) == 1


async def test_a_consumer_that_gets_on_slowly_is_not_stuck(
    settings: dict[str, str], database: Database, kafka: Kafka
) -> None:
    with small(settings, BATCH_SECONDS="0.3", STUCK_AFTER_SECONDS="1.5") as process:
        await eventually(lambda: process.answers("/health/ready"), 40)
        await load(kafka, 100)
        while await handled(database) < 100:
            assert await process.answers("/health/live")
            await asyncio.sleep(0.1)
