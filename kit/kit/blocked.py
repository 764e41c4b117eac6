"""Partitions that stand still: something that passes (a database away, say) keeps their next event from being handled.

They are tried again, backing off; meanwhile the consumer goes on with the others and keeps its place in the group.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from kit import meters
from kit.backoff import Backoff
from kit.database import describe, is_transient
from kit.logging import get_logger

log = get_logger(__name__)

_FIRST_SECONDS = 0.05
_MOST_SECONDS = 10.0


class _Blocked(msgspec.Struct, frozen=True):
    backoff: Backoff
    due: float
    reason: str


class BlockedPartitions:
    """Which partitions stand still, and when each is tried again."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)
        self._waiting: dict[TopicPartition, _Blocked] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __str__(self) -> str:
        return ", ".join(sorted(f"{place.topic}/{place.partition}" for place in self._waiting))

    def reasons(self) -> Mapping[TopicPartition, str]:
        """Return why each of them stands still."""
        return {place: blocked.reason for place, blocked in self._waiting.items()}

    def block(self, kafka: AIOKafkaConsumer, place: TopicPartition, offset: int, error: BaseException) -> None:
        """Stop a partition before ``offset``, loudly; the others go on."""
        known = self._waiting.get(place)
        backoff = known.backoff if known else Backoff(_FIRST_SECONDS, _MOST_SECONDS)
        pause_seconds = backoff.next_seconds()
        due = asyncio.get_running_loop().time() + pause_seconds
        self._waiting[place] = _Blocked(backoff, due, describe(error))
        if place in kafka.assignment():
            kafka.seek(place, offset)
            kafka.pause(place)
        passing = is_transient(error)
        say = log.warning if passing else log.error
        say(
            "partition_blocked",
            topic=place.topic,
            partition=place.partition,
            offset=offset,
            reason=describe(error),
            error_class=type(error).__name__,
            attempts=backoff.attempts,
            retry_in_seconds=round(pause_seconds, 3),
            exc_info=None if passing else error,
        )
        self._count()

    def resume_due(self, kafka: AIOKafkaConsumer) -> None:
        """Let those be fetched again whose time has come; they count as blocked until something of them is handled."""
        now = asyncio.get_running_loop().time()
        for place, blocked in self._waiting.items():
            if blocked.due <= now and place in kafka.assignment():
                kafka.resume(place)

    def passed(self, places: Iterable[TopicPartition]) -> None:
        """Note that these partitions got on."""
        if self._waiting:
            for place in places:
                self._waiting.pop(place, None)
            self._count()

    def forget(self) -> None:
        self._waiting.clear()
        self._count()

    def _count(self) -> None:
        for topic in self._topics:
            meters.BLOCKED.labels(topic).set(sum(place.topic == topic for place in self._waiting))
