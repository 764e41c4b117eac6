"""What is looked at during the hour: memory, databases and their tables, and what waits in outboxes, topics, lines."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from benchmarks.harness.progress import say
from contracts.topics import TOPICS
from kit.lag import Ends, places_of
from stack.grants import SERVICES
from stack.supervisor import Stack

_TABLES: Final = """
SELECT relname, n_live_tup, n_dead_tup, pg_total_relation_size(relid) FROM pg_stat_user_tables
"""
_PENDING: Final = """
SELECT CASE WHEN is_called THEN last_value ELSE 0 END - (SELECT cursor FROM relay WHERE name = 'outbox')
FROM outbox_id_seq
"""
_ASSESSMENTS: Final = "SELECT count(*) FROM assessments WHERE status = 'pending'"
_OFFSETS: Final = "SELECT topic, partition, next_offset FROM consumer_offset"


class Table(msgspec.Struct, frozen=True):
    """A table as PostgreSQL's statistics have it; bytes with those of its indexes."""

    live: int
    dead: int
    bytes: int

    @property
    def dead_share(self) -> float:
        return self.dead / (self.live + self.dead) if self.dead else 0.0


class Look(msgspec.Struct, frozen=True):
    """One moment, so many seconds after the first arrival. Tables are named ``database.table``.

    ``pending``: events that lie in a service's outbox; ``lag``: events in topics that it has not handled yet;
    ``assessments``: applications that eligibility has taken in and not assessed; ``work_ms``: CPU time of a piece of
    work that is always the same, so that a machine that others slow down is told from a system that grows slow.
    """

    seconds: float
    memory_mb: dict[str, float]
    database_bytes: dict[str, int]
    tables: dict[str, Table]
    pending: dict[str, int]
    lag: dict[str, int]
    assessments: int
    work_ms: float

    @property
    def backlog(self) -> int:
        """All events that somebody has still to publish or to handle, and the applications to be assessed."""
        return sum(self.pending.values()) + sum(self.lag.values()) + self.assessments


class Watcher:
    """Looks every so many seconds, until told to stop. A look that fails is said and left out."""

    def __init__(self, stack: Stack, every_seconds: float) -> None:
        self.looks: list[Look] = []
        self._stack = stack
        self._every_seconds = every_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Look. The first seconds are those of the first arrival, or nearly."""
        async with AsyncExitStack() as opened:
            databases = {}
            for name in SERVICES:
                databases[name] = await asyncpg.connect(self._stack.postgres.superuser_dsn(name))
                opened.push_async_callback(databases[name].close)
            kafka = AIOKafkaConsumer(bootstrap_servers=self._stack.kafka_bootstrap, client_id="steady")
            opened.push_async_callback(kafka.stop)
            await kafka.start()
            began = time.monotonic()
            while not stop.is_set():
                try:
                    self.looks.append(await self._look(began, databases, kafka))
                except (OSError, asyncpg.PostgresError, KafkaError, psutil.Error) as error:
                    say(f"a look failed: {error!r}")
                await _wait(stop, self._every_seconds)

    async def _look(self, began: float, databases: Mapping[str, "asyncpg.Connection[Any]"], kafka: Any) -> Look:
        """Ends are asked for first, and each database right after: what a service does meanwhile is no lag."""
        there = await kafka.topics()
        ends: Ends = await kafka.end_offsets([place for place in places_of(TOPICS) if place.topic in there])
        lag, pending, sizes = {}, {}, {}
        for name, database in databases.items():
            lag[name] = behind(await database.fetch(_OFFSETS), ends)
            pending[name] = int(await database.fetchval(_PENDING))
        assessments = int(await databases["eligibility"].fetchval(_ASSESSMENTS))
        seconds = time.monotonic() - began
        tables: dict[str, Table] = {}
        for name, database in databases.items():
            sizes[name] = int(await database.fetchval("SELECT pg_database_size($1)", name))
            tables |= {f"{name}.{row[0]}": Table(*row[1:]) for row in await database.fetch(_TABLES)}
        return Look(seconds, self._memory(), sizes, tables, pending, lag, assessments, work_ms())

    def _memory(self) -> dict[str, float]:
        """Return the resident memory of each service, in MB of 10^6 bytes; a process may be another than before."""
        running = {name: self._stack.components[name].child.identity for name in SERVICES}
        return {
            name: round(psutil.Process(identity.pid).memory_info().rss / 1e6, 1)
            for name, identity in running.items()
            if identity is not None
        }


def work_ms() -> float:
    """Return the CPU time of making and looking up 20,000 small objects: what memory and its caches are good for now.

    A loop over numbers would take the same time where each statement of a service takes twice as long.
    """
    began = time.process_time()
    made = {str(number): (number, str(number)) for number in range(20_000)}
    assert all(made[key][1] == key for key in made)
    return 1_000 * (time.process_time() - began)


def behind(reached: Sequence[Sequence[Any]], ends: Mapping[TopicPartition, int]) -> int:
    """Return how many events lie between these (topic, partition, next offset) and the ends of their topics."""
    return sum(max(0, ends.get(TopicPartition(topic, number), 0) - at) for topic, number, at in reached)


def workers_cpu_seconds(stack: Stack) -> float:
    """Return the CPU seconds of PostgreSQL's processes that have ended: of autovacuum's, above all."""
    identity = stack.components["postgres"].child.identity
    assert identity is not None, "it runs"
    times = psutil.Process(identity.pid).cpu_times()
    return float(times.children_user + times.children_system)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
