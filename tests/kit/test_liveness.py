"""Liveness judges a consumer, not its surroundings: a database or broker that is away is no reason to start again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kit.database import Database
from kit.lag import Lags
from kit.liveness import Liveness
from stack.kafka import Kafka
from stack.ports import free_ports
from tests.kit.broker import record_of, send
from tests.kit.conftest import TOPIC, company, event, eventually

LIMIT_SECONDS = 0.3


@asynccontextmanager
async def judging(database: Database, bootstrap: str, group: str) -> AsyncIterator[Liveness]:
    """Liveness of a consumer that finishes nothing."""
    liveness = Liveness(Lags(database, bootstrap, group=group, topics=[TOPIC]), LIMIT_SECONDS)
    stop = asyncio.Event()
    task = asyncio.create_task(liveness.run(stop))
    yield liveness
    stop.set()
    async with asyncio.timeout(20):
        await task


async def test_no_progress_while_events_wait_is_stuck_until_it_gets_on(
    database: Database, kafka: Kafka, group: str
) -> None:
    async with judging(database, kafka.bootstrap, group) as liveness:
        await asyncio.sleep(3 * LIMIT_SECONDS)
        assert liveness.stuck is None, "nothing waits"
        await send(kafka.bootstrap, [record_of(event(company()))])
        await eventually(lambda: liveness.stuck is not None)
        liveness.progressed()
        await eventually(lambda: liveness.stuck is None)


async def test_it_asks_the_database_when_its_pool_is_exhausted(database_url: str, kafka: Kafka, group: str) -> None:
    """A leaked pool is just what a new process cures."""
    leaking = Database(database_url, pool_size=1)
    async with leaking.reading(), judging(leaking, kafka.bootstrap, group) as liveness:
        await send(kafka.bootstrap, [record_of(event(company()))])
        await eventually(lambda: liveness.stuck is not None)
    await leaking.close()


async def test_a_database_that_is_away_is_not_the_consumers_fault(kafka: Kafka) -> None:
    [nobody_listens] = free_ports(1)
    away = Database(f"postgresql://nobody:x@127.0.0.1:{nobody_listens}/nothing")
    async with judging(away, kafka.bootstrap, "test-away") as liveness:
        await asyncio.sleep(5 * LIMIT_SECONDS)
        assert liveness.stuck is None
    await away.close()


async def test_brokers_that_are_away_are_not_the_consumers_fault(database: Database, kafka: Kafka, group: str) -> None:
    await send(kafka.bootstrap, [record_of(event(company()))])
    [nobody_listens] = free_ports(1)
    async with judging(database, f"127.0.0.1:{nobody_listens}", group) as liveness:
        await asyncio.sleep(5 * LIMIT_SECONDS)
        assert liveness.stuck is None
