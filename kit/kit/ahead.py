"""Fetches one batch ahead: while one is written, the next one is here already, and can be read.

A batch that was fetched ahead knows where each of its partitions begins: where the records before it end. It is taken
only from where the records that were handled end. So nothing is passed over when those before it were not handled
after all: their partition stands still, or was given away. The offset in the database is the last wall (``kit.batch``).
"""

import asyncio
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import HURRIED, event_type
from kit.deadlines import within
from kit.messages import event_type_of
from kit.pace import Pace

Batch = dict[TopicPartition, list[Any]]
Positions = Mapping[TopicPartition, int]

_POLL_DEADLINE_SECONDS: Final = 30.0
_POLL_MS: Final = 200
_HURRIED_TYPES: Final = frozenset(map(event_type, HURRIED))


def reached(batch: Batch) -> dict[TopicPartition, int]:
    """Return the offset after the batch, by partition."""
    return {place: int(records[-1].offset) + 1 for place, records in batch.items()}


def _hurries(batch: Batch) -> bool:
    """Return whether an applicant waits for anything in the batch."""
    return any(event_type_of(record) in _HURRIED_TYPES for records in batch.values() for record in records)


class Ahead:
    """Takes batches of at most so many events from the client, and keeps the one that was fetched ahead."""

    def __init__(self, max_batch_events: int, pace: Pace | None = None) -> None:
        self._most = max_batch_events
        self._pace = pace or Pace()
        self._fetched: Batch = {}
        self._begins: dict[TopicPartition, int] = {}

    async def next(self, kafka: AIOKafkaConsumer, positions: Positions) -> Batch:
        """Return what was fetched ahead, where it goes on at the positions; else what comes within a moment.

        Where it had to wait for its turn, with what has come meanwhile.
        """
        fetched, self._fetched = self._fetched, {}
        batch: Batch = {}
        for place, records in fetched.items():
            if place in positions and self._begins[place] == positions[place]:
                batch[place] = records
            elif place in positions and place in kafka.assignment():
                kafka.seek(place, positions[place])
        batch = batch or await self._poll(kafka, _POLL_MS)
        if batch:
            await self._wait_turn(kafka, batch)
        return batch

    async def _wait_turn(self, kafka: AIOKafkaConsumer, batch: Batch) -> None:
        """Wait until the batch may begin, and add what comes meanwhile; a full one begins at once."""
        if self._room(batch) > 0 and (left := self._pace.left()) > 0:
            await asyncio.sleep(left)
            await self._add(kafka, batch, 0)
        while self._room(batch) > 0 and (left := self._pace.left(patient=True)) > 0 and not _hurries(batch):
            await self._add(kafka, batch, ceil(1000 * left))
        self._pace.begin()

    async def _add(self, kafka: AIOKafkaConsumer, batch: Batch, timeout_ms: int) -> None:
        for place, records in (await self._poll(kafka, timeout_ms, self._room(batch))).items():
            batch[place] = batch.get(place, []) + records

    def _room(self, batch: Batch) -> int:
        return self._most - sum(map(len, batch.values()))

    async def fetch(self, kafka: AIOKafkaConsumer, batch: Batch, positions: Positions) -> Batch:
        """Take what the client has got already of what follows this batch; return it."""
        if not batch:
            return {}
        begins = {**positions, **reached(batch)}
        fetched = await self._poll(kafka, 0)
        self._fetched = {place: records for place, records in fetched.items() if place in begins}
        self._begins = begins
        return self._fetched

    def drop(self, places: Iterable[TopicPartition]) -> None:
        """Let go of partitions that will be read from elsewhere."""
        for place in places:
            self._fetched.pop(place, None)

    async def _poll(self, kafka: AIOKafkaConsumer, timeout_ms: int, most: int | None = None) -> Batch:
        polled = kafka.getmany(timeout_ms=timeout_ms, max_records=self._most if most is None else most)
        return await within(_POLL_DEADLINE_SECONDS, polled, "polling for events")
