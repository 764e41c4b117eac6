"""Real topics for tests that share one Kafka: send events, and read only what was sent since the test began."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text

from contracts.codec import encode
from contracts.events import Event
from contracts.topics import TOPIC_OF, TOPICS, event_type
from kit.database import Database
from kit.identifiers import uuid7
from kit.kafka import Producer, Record
from kit.messages import headers_of

Offsets = dict[TopicPartition, int]
DEADLINE_SECONDS = 30.0


def record_of(event: Event, event_id: UUID | None = None, traceparent: str | None = None) -> Record:
    """An event as its writer's relay sends it; the same ``event_id`` makes it the same event again."""
    topic = TOPIC_OF[type(event)]
    headers = headers_of(
        event_id=event_id or uuid7(),
        event_type=event_type(type(event)),
        source=topic.writer,
        subject="test",
        time=event.occurred_at,
        sequence=1,
        traceparent=traceparent,
    )
    timestamp_ms = int(event.occurred_at.timestamp() * 1000)
    return Record(topic.name, str(getattr(event, topic.key)).encode(), encode(event), headers, timestamp_ms)


async def send(bootstrap: str, records: Sequence[Record]) -> None:
    producer = Producer(bootstrap, "test")
    await producer.start()
    await producer.send(records)
    await producer.stop()


def places_of(topics: Iterable[str]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for topic in topics for partition in range(TOPICS[topic].partitions)]


@asynccontextmanager
async def _reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def ends_of(bootstrap: str, topics: Iterable[str]) -> Offsets:
    """Where the topics end now: other tests' events lie before."""
    async with _reader(bootstrap) as consumer:
        return dict(await consumer.end_offsets(places_of(topics)))


async def read_from(bootstrap: str, starts: Offsets, *, until: int) -> list[Any]:
    """Return the records from these offsets: ``until`` different events, and whatever follows at once."""
    async with _reader(bootstrap) as consumer:
        consumer.assign(list(starts))
        for place, offset in starts.items():
            consumer.seek(place, offset)
        records: list[Any] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len({header_of(record, "ce_id") for record in records}) < until:
                records += _flat(await consumer.getmany(timeout_ms=200))
        return records + _flat(await consumer.getmany(timeout_ms=300))


def _flat(batch: dict[TopicPartition, list[Any]]) -> list[Any]:
    return [record for records in batch.values() for record in records]


def header_of(record: Any, name: str) -> str:
    return str(dict(record.headers)[name].decode())


async def start_at(database: Database, group: str, offsets: Offsets) -> None:
    """Let a consumer group that has read nothing begin at these offsets."""
    statement = text("INSERT INTO consumer_offset VALUES (:group, :topic, :partition, :offset, 0)")
    async with database.transaction() as connection:
        for place, offset in offsets.items():
            values = {"group": group, "topic": place.topic, "partition": place.partition, "offset": offset}
            await connection.execute(statement, values)
