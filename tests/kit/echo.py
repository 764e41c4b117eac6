"""A handler whose effects can be counted, and what the tests of the consumer and of parking do with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import RecoveryDemanded
from contracts.topics import TOPICS
from kit.consumer import Consumer
from kit.database import Database
from kit.errors import NotYetError, PermanentError, TransientError
from kit.kafka import partition_of
from kit.messages import Message
from kit.outbox import Announcements
from tests.kit.conftest import TOPIC, company, event


class Echo:
    """A handler whose effect is one row in the outbox per event: its order is the order of effects.

    It fails on the reasons in ``poison`` and ``refused`` until they are taken out, and asks for time on ``busy``.
    """

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.refused: set[str] = set()
        self.early: set[str] = set()
        self.busy: set[str] = set()
        self.tries = 0

    async def handle(self, _: AsyncConnection, messages: Sequence[Message], _now: datetime) -> Announcements:
        self.tries += 1
        said = Announcements()
        for message in messages:
            assert isinstance(message.data, RecoveryDemanded)
            self._fail_on(message.data.reason)
            said.say(message.data)
        return said

    def _fail_on(self, reason: str) -> None:
        if reason in self.busy:
            raise TransientError("the other side is busy")
        if reason in self.poison:
            raise ValueError(f"can't digest {reason}")
        if reason in self.refused:
            raise PermanentError(f"{reason} may never be")
        if reason in self.early:
            raise NotYetError(f"{reason} waits for another topic")


def consumer_of(
    database: Database,
    bootstrap: str,
    group: str,
    echo: Echo,
    committed: Callable[[Announcements], None] = lambda _: None,
) -> Consumer:
    return Consumer(
        database,
        bootstrap,
        group=group,
        events=[RecoveryDemanded],
        handle=echo.handle,
        max_batch_events=50,
        committed=committed,
    )


@asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[Consumer]:
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await task


async def effects(database: Database) -> list[tuple[str, str]]:
    """(key, reason) of every effect, in order."""
    query = "SELECT key, CAST(convert_from(data, 'UTF8') AS json) ->> 'reason' AS reason FROM outbox"
    query += " WHERE headers IS NULL ORDER BY id"
    async with database.reading() as connection:
        return [(row.key, row.reason) for row in await connection.execute(text(query))]


def has(database: Database, count: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(await effects(database)) >= count

    return check


def numbered(keys: Sequence[str], count: int, first: int = 0) -> list[RecoveryDemanded]:
    return [event(key, str(number)) for number in range(first, first + count) for key in keys]


def per_key(found: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    ordered: dict[str, list[int]] = {}
    for key, reason in found:
        ordered.setdefault(key, []).append(int(reason))
    return ordered


def keys_apart(count: int) -> list[str]:
    """Keys of different partitions."""
    keys: dict[int, str] = {}
    while len(keys) < count:
        key = company()
        keys.setdefault(partition_of(key.encode(), TOPICS[TOPIC].partitions), key)
    return list(keys.values())
