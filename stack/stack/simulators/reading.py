"""Topics read from the first record to the last, by a plain consumer that belongs to no group."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import aiokafka
import msgspec

from contracts.codec import UnknownEventTypeError, decode
from contracts.events import Event
from contracts.topics import TOPICS

_PATIENCE_SECONDS: Final = 60.0
_POLL_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Record:
    """A record as any consumer sees it; ``event_id`` is its ``ce_id``."""

    topic: str
    key: str
    event_id: str
    event: Event


async def read_topics(bootstrap: str, *names: str) -> list[Record]:
    """Return every record that is in these topics now; per partition in order.

    Raises TimeoutError when the broker does not give them within a minute.
    """
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await consumer.start()
        try:
            return await _until_end(consumer, _partitions(names))
        finally:
            await consumer.stop()


def _partitions(names: tuple[str, ...]) -> list[aiokafka.TopicPartition]:
    return [aiokafka.TopicPartition(name, number) for name in names for number in range(TOPICS[name].partitions)]


async def _until_end(consumer: aiokafka.AIOKafkaConsumer, partitions: list[aiokafka.TopicPartition]) -> list[Record]:
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    open_partitions = [partition for partition in partitions if ends[partition]]
    records: list[Record] = []
    while open_partitions:
        arrived = await consumer.getmany(*open_partitions, timeout_ms=_POLL_MS)
        records += [record for batch in arrived.values() for raw in batch if (record := _record(raw))]
        positions = {partition: await consumer.position(partition) for partition in open_partitions}
        open_partitions = [each for each in open_partitions if positions[each] < ends[each]]
    return records


def _record(raw: Any) -> Record | None:
    """Return the event; None for what is none: somebody else's bytes, which the services park."""
    headers = dict(raw.headers)
    try:
        event = decode(headers["ce_type"].decode(), raw.value)
    except (KeyError, UnknownEventTypeError, msgspec.MsgspecError):
        return None
    return Record(raw.topic, raw.key.decode(), headers["ce_id"].decode(), event)
