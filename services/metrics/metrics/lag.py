"""Watches how far every service's consumer group is behind, as Kafka sees it: so a dead consumer shows as well."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from kit.backoff import wait
from kit.brokers import connection
from kit.database import describe
from kit.logging import get_logger
from metrics import meters
from metrics.rules.behind import Behind

log = get_logger(__name__)

_DEADLINE_SECONDS: Final = 20.0
_CLIENT_ID: Final = "metrics-lag"


GroupPlace = tuple[str, TopicPartition]


class Reached(msgspec.Struct, frozen=True):
    """What a group has committed of a partition, and where that ends."""

    committed: int
    end: int


class Seen(msgspec.Struct, frozen=True):
    """One look at Kafka: how many brokers there are, and how far each group is."""

    brokers: int
    reached: dict[GroupPlace, Reached]


class LagWatch:
    """Reads the groups' committed offsets and the partitions' ends, every ``poll_seconds``."""

    def __init__(self, bootstrap: str, poll_seconds: float, groups: Iterable[str]) -> None:
        self._bootstrap = bootstrap
        self._poll_seconds = poll_seconds
        self._groups = tuple(groups)
        self._behind: Behind[GroupPlace] = Behind()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``. Brokers that do not answer are asked again next time; stale figures are taken away."""
        while not await wait(stop, self._poll_seconds):
            try:
                async with asyncio.timeout(_DEADLINE_SECONDS):
                    seen = await self.read()
            except (KafkaError, OSError, TimeoutError) as error:
                self._hide()
                log.warning("lag_unreadable", reason=describe(error), error_class=type(error).__name__)
            else:
                self._show(seen)

    async def read(self) -> Seen:
        """Return the brokers that are there, and how far each group is on each partition that it has committed on."""
        admin = AIOKafkaAdminClient(**connection(self._bootstrap), client_id=_CLIENT_ID)
        consumer = AIOKafkaConsumer(**connection(self._bootstrap), client_id=_CLIENT_ID)
        try:
            await admin.start()
            await consumer.start()
            brokers = len((await admin.describe_cluster())["brokers"])
            committed = {group: await admin.list_consumer_group_offsets(group) for group in self._groups}
            places = {place for offsets in committed.values() for place in offsets}
            ends = await consumer.end_offsets(places) if places else {}
        finally:
            await consumer.stop()
            await admin.close()
        reached = {
            (group, place): Reached(at.offset, ends[place])
            for group, offsets in committed.items()
            for place, at in offsets.items()
            if at.offset >= 0
        }
        return Seen(brokers, reached)

    def _hide(self) -> None:
        meters.BROKERS.set(0)
        meters.GROUP_LAG.clear()
        meters.GROUP_LAG_SECONDS.clear()

    def _show(self, seen: Seen) -> None:
        self._hide()
        meters.BROKERS.set(seen.brokers)
        now = asyncio.get_running_loop().time()
        for (group, place), at in seen.reached.items():
            where = (group, place.topic, place.partition)
            meters.GROUP_LAG.labels(*where).set(max(0, at.end - at.committed))
            seconds = self._behind.seconds((group, place), at.committed, at.end, now)
            meters.GROUP_LAG_SECONDS.labels(*where).set(seconds)
