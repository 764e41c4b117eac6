"""The two sides, each in a process of its own: the service's consumer and handlers, and a bare reader.

The clock of both runs from the end of the first batch to that of the last: joining the group is no part of it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import TOPICS as TOPIC
from contracts.topics import topics_with
from kit import collector
from kit.brokers import Brokers
from kit.consumer import Consumer
from kit.database import Database
from kit.messages import Message, parse
from metrics.handlers import SUBSCRIPTIONS, Handlers
from metrics.settings import Settings

TOPICS: Final = topics_with(SUBSCRIPTIONS)
_OURS_AT_ONCE: Final = int(Settings.model_fields["consumer_max_batch_events"].default)
_READ_AT_ONCE: Final = 1_000  # 4,000 at once were slower for it
_PATIENCE_SECONDS: Final = 300.0
_LOOK_EVERY_SECONDS: Final = 0.005
_READ_TIMEOUT_MS: Final = 1_000


class Progress:
    """How many records were dealt with, and when."""

    def __init__(self) -> None:
        self._done = 0
        self._first: tuple[int, float] | None = None
        self._last = 0.0

    def passed(self, count: int) -> None:
        """Note the end of a batch."""
        self._done += count
        self._last = time.perf_counter()
        self._first = self._first or (self._done, self._last)

    @property
    def done(self) -> int:
        return self._done

    def rate(self) -> tuple[int, float]:
        """Return how many were dealt with after the first batch, and in how many seconds."""
        assert self._first is not None, "nothing was read"
        return self._done - self._first[0], self._last - self._first[1]


class Rebuilder:
    """Metrics' consumer, with its handlers, on an empty database and as a group of its own."""

    def __init__(self, database: Database, brokers: Brokers) -> None:
        self._database = database
        self._brokers = brokers

    @classmethod
    async def open(cls, dsn: str, bootstrap: str) -> Self:
        collector.calm()  # as every service does
        settings = Settings(database_url=dsn, kafka_bootstrap=bootstrap)
        database = Database(dsn, pool_size=settings.database_pool_size, name="metrics")
        return cls(database, settings.brokers)

    async def run(self, group: str, records: int) -> tuple[int, float]:
        """Rebuild from all records; return how many were handled after the first batch, in how many seconds.

        Each batch is counted when it has committed, with the records in it that metrics does not subscribe to.
        """
        progress, stop = Progress(), asyncio.Event()
        consumer = Counting(self._database, self._brokers, group, progress)
        running = asyncio.create_task(consumer.run(stop))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while progress.done < records:
            if time.monotonic() > deadline or running.done():
                raise TimeoutError(f"{progress.done} of {records} records were handled; {consumer.trouble}")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        stop.set()
        await running
        return progress.rate()

    async def close(self) -> None:
        await self._database.close()


class Counting(Consumer):
    """The consumer as it is, with what it has passed counted."""

    def __init__(self, database: Database, brokers: Brokers, group: str, progress: Progress) -> None:
        handlers = Handlers(_calendar())
        super().__init__(
            database,
            brokers,
            group=group,
            events=SUBSCRIPTIONS,
            handle=handlers.handle,
            max_batch_events=_OURS_AT_ONCE,
        )
        self._progress = progress

    def _passed(self, batch: Any) -> None:
        super()._passed(batch)
        self._progress.passed(sum(map(len, batch.values())))


def _calendar() -> Any:
    return Settings(database_url="postgresql://nowhere", kafka_bootstrap="").calendar


class Reader:
    """Reads and decodes the same topics, and does nothing with what it read."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    @classmethod
    async def open(cls, bootstrap: str) -> Self:
        collector.calm()
        return cls(bootstrap)

    async def run(self, _group: str, records: int) -> tuple[int, float]:
        """Read all records; return how many were decoded after the first batch, in how many seconds."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, max_partition_fetch_bytes=2 * 1024 * 1024, enable_auto_commit=False
        )
        await consumer.start()
        try:
            places = [TopicPartition(topic, number) for topic in TOPICS for number in range(TOPIC[topic].partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            progress = Progress()
            while progress.done < records:
                arrived = await consumer.getmany(timeout_ms=_READ_TIMEOUT_MS, max_records=_READ_AT_ONCE)
                decoded = _decoded(arrived)
                if decoded:
                    progress.passed(len(decoded))
        finally:
            await consumer.stop()
        return progress.rate()

    async def close(self) -> None:
        """Nothing is kept open."""


def _decoded(arrived: Mapping[TopicPartition, Sequence[Any]]) -> list[Message]:
    return [parse(record) for records in arrived.values() for record in records]
