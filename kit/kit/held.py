"""The partitions that a consumer holds: under which epoch, and where each goes on. The database says both."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from kit import offsets
from kit.database import Database, describe
from kit.deadlines import within
from kit.logging import get_logger
from kit.sightings import forget_lag

log = get_logger(__name__)

_COMMIT_DEADLINE_SECONDS: Final = 10.0
_LOOK_ROUND_SECONDS: Final = 5.0


class Held:
    """What a member of a group holds. A rebalance forgets all of it, at any await: whoever awaits copies first."""

    def __init__(self, database: Database, group: str) -> None:
        self._database = database
        self._group = group
        self._looked_at = 0.0
        self.epochs: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}

    def forget(self) -> None:
        """Forget the epochs: whatever is assigned next has to be claimed anew."""
        forget_lag(self.positions)
        self.epochs.clear()
        self.positions.clear()

    async def claim(self, kafka: AIOKafkaConsumer) -> Collection[TopicPartition]:
        """Raise the epoch of every partition that is newly ours, and start where the database says; return those."""
        unclaimed = sorted(set(kafka.assignment()) - self.epochs.keys())
        if not unclaimed:
            return ()
        async with self._database.transaction() as connection:
            claimed = await offsets.claim(connection, self._group, unclaimed)
        for place, (next_offset, epoch) in claimed.items():
            if place in kafka.assignment():
                kafka.seek(place, next_offset)
                self.epochs[place] = epoch
                self.positions[place] = next_offset
        return claimed.keys()

    async def look_round(self, kafka: Any) -> None:
        """See every few seconds whether the partitions are still ours, also when nothing arrives, and tell Kafka.

        Raises FencedError when they are not. Kafka's offsets are for its lag tools.
        """
        now = asyncio.get_running_loop().time()
        epochs = dict(self.epochs)
        if not epochs or now - self._looked_at <= _LOOK_ROUND_SECONDS:
            return
        self._looked_at = now
        async with self._database.transaction() as connection:
            _, known = await offsets.fence(connection, self._group, epochs)
        mine = {place: offset for place, offset in known.items() if offset and place in kafka.assignment()}
        if not mine:
            return
        try:
            await within(_COMMIT_DEADLINE_SECONDS, kafka.commit(mine), "telling Kafka the offsets")
        except (KafkaError, TimeoutError) as error:  # a rebalance, most often: the work itself is safe, so go on
            log.warning("offsets_not_told", reason=describe(error), error_class=type(error).__name__)
