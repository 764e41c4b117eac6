"""Watches how far every service's consumer group is behind, as Kafka sees it: so a dead consumer shows as well."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from kit.backoff import wait
from kit.brokers import connection
from kit.database import describe
from kit.logging import get_logger
from metrics import meters

log = get_logger(__name__)

_DEADLINE_SECONDS: Final = 20.0
_CLIENT_ID: Final = "metrics-lag"


class LagWatch:
    """Reads the groups' committed offsets and the partitions' ends, every ``poll_seconds``."""

    def __init__(self, bootstrap: str, poll_seconds: float, groups: Iterable[str]) -> None:
        self._bootstrap = bootstrap
        self._poll_seconds = poll_seconds
        self._groups = tuple(groups)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``. Brokers that do not answer are asked again next time; stale figures are taken away."""
        while not await wait(stop, self._poll_seconds):
            try:
                async with asyncio.timeout(_DEADLINE_SECONDS):
                    lags = await self.read()
            except (KafkaError, OSError, TimeoutError) as error:
                meters.GROUP_LAG.clear()
                log.warning("lag_unreadable", reason=describe(error), error_class=type(error).__name__)
            else:
                self._show(lags)

    async def read(self) -> dict[tuple[str, TopicPartition], int]:
        """Return how many events each group is behind on each partition that it has committed anything on."""
        admin = AIOKafkaAdminClient(**connection(self._bootstrap), client_id=_CLIENT_ID)
        consumer = AIOKafkaConsumer(**connection(self._bootstrap), client_id=_CLIENT_ID)
        try:
            await admin.start()
            await consumer.start()
            committed = {group: await admin.list_consumer_group_offsets(group) for group in self._groups}
            places = {place for offsets in committed.values() for place in offsets}
            ends = await consumer.end_offsets(places) if places else {}
        finally:
            await consumer.stop()
            await admin.close()
        return {
            (group, place): max(0, ends[place] - at.offset)
            for group, offsets in committed.items()
            for place, at in offsets.items()
            if at.offset >= 0
        }

    def _show(self, lags: dict[tuple[str, TopicPartition], Any]) -> None:
        meters.GROUP_LAG.clear()
        for (group, place), behind in lags.items():
            meters.GROUP_LAG.labels(group, place.topic, place.partition).set(behind)
