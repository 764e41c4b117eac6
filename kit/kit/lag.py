"""How far a consumer group is behind: where our own database says that it goes on, and where Kafka's partitions end.

Both are asked for, so that a process that consumes nothing, or hangs, is told about as well as one that works.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.topics import TOPICS
from kit import offsets
from kit.brokers import connection
from kit.database import Database, describe
from kit.deadlines import within
from kit.errors import TransientError
from kit.logging import get_logger

log = get_logger(__name__)

_ANSWER_SECONDS: Final = 5.0
Ends = dict[TopicPartition, int]


class Lag(msgspec.Struct, frozen=True):
    """One partition: the next offset to handle, the offset after the last event, and why it stands still, if it does.

    ``blocked`` is known to the process that holds the partition, except for a topic that was lost: that is seen by all.
    """

    topic: str
    partition: int
    next_offset: int
    end_offset: int
    lag: int
    blocked: str | None = None


class Lags:
    """Reads the lag of one group. ``blocked`` says why partitions of this process stand still."""

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        *,
        group: str,
        topics: Iterable[str],
        blocked: Callable[[], Mapping[TopicPartition, str]] = dict,
    ) -> None:
        self.group = group
        self._database = database
        self._bootstrap = bootstrap
        self._places = places_of(topics)
        self._blocked = blocked

    async def read(self, *, pooled: bool = True) -> list[Lag]:
        """Return the lag of every partition. Raises TransientError while the brokers do not answer.

        ``pooled`` is false for whoever doubts the pool: then the database is asked on a connection of its own.
        """
        ends = await ends_of(self._bootstrap, self._places)
        async with self._database.reading() if pooled else self._database.apart() as connection:
            return await self._compare(connection, ends)

    async def _compare(self, connection: AsyncConnection, ends: Ends) -> list[Lag]:
        reached = await offsets.read(connection, self.group, self._places)
        blocked = self._blocked()
        return [
            Lag(
                topic=place.topic,
                partition=place.partition,
                next_offset=reached.get(place, 0),
                end_offset=ends[place],
                lag=max(0, ends[place] - reached.get(place, 0)),
                blocked=blocked.get(place) or _lost(reached.get(place, 0), ends[place]),
            )
            for place in self._places
        ]


def _lost(next_offset: int, end: int) -> str | None:
    if next_offset <= end:
        return None
    return f"the topic ends before {next_offset}: it was lost, or made anew"


def places_of(topics: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of these topics, as the contract has them."""
    return [TopicPartition(name, number) for name in sorted(topics) for number in range(TOPICS[name].partitions)]


async def ends_of(bootstrap: str, places: Sequence[TopicPartition]) -> Ends:
    """Return the offset after the last event of each partition, asked of the brokers with a client of its own.

    A topic that is not there ends at 0, as one that was made anew and is empty.
    """
    kafka = AIOKafkaConsumer(
        **connection(bootstrap), client_id="drawdown-lag", request_timeout_ms=int(_ANSWER_SECONDS * 1000)
    )
    try:
        return await within(_ANSWER_SECONDS, _ask(kafka, places), "reading the ends of the topics")
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransientError(f"Kafka does not answer: {describe(error)}") from error
    finally:
        await _close(kafka)


async def _ask(kafka: Any, places: Sequence[TopicPartition]) -> Ends:  # aiokafka has no types
    await kafka.start()
    there = await kafka.topics()
    ends = await kafka.end_offsets([place for place in places if place.topic in there])
    return {place: ends.get(place, 0) for place in places}


async def _close(kafka: Any) -> None:
    try:
        await within(_ANSWER_SECONDS, kafka.stop(), "closing the client that reads the lag")
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("lag_client_dropped", reason=describe(error))
