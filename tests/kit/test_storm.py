"""A retry storm in small: the database stands still for seconds, and callers with short time-outs come again and again.

The writer does less in a second than the callers ask again for. If each try were one more in the line, no answer
would ever come within a caller's patience: the line would grow for good, although nobody wants anything new.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox
from kit.callers import Callers
from kit.database import Database
from kit.errors import OverloadedError, TransientError
from kit.groups import WRITES_WAITING, GroupedWriter, Outcome
from kit.idempotency import Answer
from kit.outbox import Announcements
from kit.relay import Relay
from kit.settings import ServiceSettings
from stack.kafka import Kafka
from tests.kit.conftest import company, event, eventually
from tests.kit.test_groups import Enter, entries, key

WRITERS, READERS = 200, 60
PATIENCE_SECONDS = 2.0
PATIENCE_TICKS = 10
STILL_SECONDS = 4.0
GROUP_SECONDS, GROUP_SIZE = 0.2, 16  # 80 commands a second at most, while 200 callers ask again 100 times a second
GROUPS_AFTERWARDS = 40  # 13 full ones have the answers of all; a line that grows for good takes any number


def waiting() -> float:
    """Return the gauge's value from the gauge: to ask the registry for it collects every metric of the process."""
    [found] = WRITES_WAITING.collect()
    return found.samples[0].value


class Writer(GroupedWriter[Enter]):
    """A writer that counts its groups: the machine may be slow, but not the way out."""

    groups = 0

    async def _write(self, group: Any) -> None:
        self.groups += 1
        await super()._write(group)


class Crowd:
    """Callers of one kind: how many had their answer, and how often one lost patience."""

    def __init__(self) -> None:
        self.answered = 0
        self.turned_away: Counter[str] = Counter()
        self.hung_up = 0
        self.most_waiting = 0.0
        self._left: set[asyncio.Task[Any]] = set()

    async def ask(self, call: Callable[[], Awaitable[Any]], after_seconds: float) -> None:
        """Ask until there is an answer. A server goes on with what its caller no longer waits for."""
        await asyncio.sleep(after_seconds)
        while True:
            task = asyncio.ensure_future(call())
            self._left.add(task)
            done = await _patiently(task)
            self.most_waiting = max(self.most_waiting, waiting())
            if not done:
                self.hung_up += 1
            elif not (error := task.exception()):
                self.answered += 1
                return
            else:
                self.turned_away[type(error).__name__] += 1
                await asyncio.sleep(random.uniform(0.2, 0.6))

    async def settle(self) -> None:
        await asyncio.gather(*self._left, return_exceptions=True)


async def _patiently(task: asyncio.Future[Any]) -> bool:
    """Wait as long as a caller does; return whether there is an answer.

    Callers and server share a process here: while the machine gives it no time, neither do the callers' clocks run.
    So a caller's clock ticks, and a tick that took long is one tick.
    """
    for _ in range(PATIENCE_TICKS):
        done, _still = await asyncio.wait({task}, timeout=PATIENCE_SECONDS / PATIENCE_TICKS)
        if done:
            return True
    return False


@asynccontextmanager
async def settled(*crowds: Crowd) -> AsyncIterator[None]:
    """Leave nothing running that a crowd no longer waits for."""
    try:
        yield
    finally:
        for crowd in crowds:
            await crowd.settle()


_LOCK = text("SELECT pg_advisory_xact_lock_shared(4711)")
"""A lock that takes no transaction id: the relay would have to wait for the end of a transaction that has one."""


async def slowly(
    connection: AsyncConnection, commands: Sequence[Enter], _now: datetime
) -> tuple[list[Outcome], Announcements]:
    await connection.execute(_LOCK)
    await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": GROUP_SECONDS})
    insert = text("INSERT INTO tallies (name, scheme, label, value) VALUES ('entry', '', :name, 1)")
    await connection.execute(insert, [{"name": command.name} for command in commands])
    return [Answer(201, command.name.encode()) for command in commands], Announcements()


@pytest.fixture
async def callers(database_url: str) -> AsyncIterator[Callers]:
    settings = ServiceSettings(
        database_url=database_url,
        kafka_bootstrap="",
        http_port=0,
        http_queue_size=20,
        http_wait_seconds=0.5,
        http_statement_timeout_seconds=0.5,
    )
    found = Callers(settings, "test")
    yield found
    await found.close()


@pytest.fixture
async def loops(database_url: str, database: Database) -> AsyncIterator[Database]:
    """A pool with a connection for each loop of this test: the writer and the relay."""
    found = Database(database_url, pool_size=2, name="test")
    yield found
    await found.close()


@asynccontextmanager
async def standing_still(database: Database) -> AsyncIterator[None]:
    """Somebody holds a lock that every write and every read of the crowd needs."""
    async with database.transaction() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        yield


@asynccontextmanager
async def running(loop: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(loop(stop))
    try:
        yield
        stop.set()
        async with asyncio.timeout(10):
            await task
    except BaseException:
        task.print_stack()  # where it stood still
        task.cancel()
        await asyncio.wait({task})
        raise


async def published(database: Database) -> bool:
    async with database.reading() as connection:
        query = text("SELECT cursor >= (SELECT max(id) FROM outbox) FROM relay")
        return bool((await connection.execute(query)).scalar_one())


async def test_a_storm_of_retries_passes_when_its_cause_is_over(
    database: Database, loops: Database, callers: Callers, kafka: Kafka
) -> None:
    async with database.transaction() as connection:
        said = Announcements()
        said.say(event(company()))
        await outbox.add(connection, said)
    writer = Writer(loops, slowly, max_group_size=GROUP_SIZE, max_age_seconds=0.5, answer_seconds=1.0)
    relay = Relay(loops, kafka.bootstrap, source="test", holder="storm", poll_seconds=0.02, lease_seconds=5)

    async def read() -> None:
        async with callers.reading() as connection:
            await connection.execute(_LOCK)

    writing, reading = Crowd(), Crowd()
    commands = [Enter(f"n{number:03}", key(f"k{number}")) for number in range(WRITERS)]
    async with settled(writing, reading), running(writer.run), asyncio.TaskGroup() as crowd:
        async with standing_still(database):
            for number, command in enumerate(commands):
                call = lambda command=command: writer.submit(command)  # noqa: E731
                crowd.create_task(writing.ask(call, number / WRITERS * STILL_SECONDS / 2))
            for number in range(READERS):
                crowd.create_task(reading.ask(read, number / READERS))
            await asyncio.sleep(STILL_SECONDS / 2)
            async with running(relay.run):  # it has to get its connection in the middle of the storm
                await eventually(lambda: published(database), 10)
                await asyncio.sleep(STILL_SECONDS / 2)
        before = writer.groups

    assert writing.answered == WRITERS
    assert await entries(database) == [command.name for command in commands], "each key has one effect"
    assert writing.most_waiting <= WRITERS, "a key waited twice"
    assert reading.answered == READERS
    assert writer.groups - before < GROUPS_AFTERWARDS
    assert writing.turned_away.keys() == {OverloadedError.__name__, TransientError.__name__}
    assert (writing.hung_up, reading.hung_up) == (0, 0), "who can't be answered in time is told so"
