"""The projection over real Kafka: sent twice, read in any order, rebuilt from the topics, always the same figures."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text

from contracts.codec import encode
from contracts.events import Event
from contracts.topics import TOPIC_OF, TOPICS, event_type, topics_with
from kit.consumer import Consumer
from kit.database import Database
from kit.identifiers import uuid7
from kit.kafka import Producer, Record
from kit.messages import headers_of
from metrics import snapshot
from metrics.handlers import SUBSCRIPTIONS, Handlers
from metrics.lag import LagWatch
from metrics.snapshot import Snapshot
from stack.kafka import Kafka
from tests.metrics.conftest import SHENZHEN
from tests.metrics.story import Case, Ledger, one_paid_case, policy

DEADLINE_SECONDS = 30
Offsets = dict[Any, int]


def record(event: Event) -> Record:
    topic = TOPIC_OF[type(event)]
    headers = headers_of(
        event_id=uuid7(),
        event_type=event_type(type(event)),
        source=topic.writer,
        subject="test",
        time=event.occurred_at,
        sequence=1,
        traceparent=None,
    )
    timestamp_ms = int(event.occurred_at.timestamp() * 1000)
    return Record(topic.name, str(getattr(event, topic.key)).encode(), encode(event), headers, timestamp_ms)


async def send(kafka: Kafka, records: Iterable[Record]) -> None:
    producer = Producer(kafka.bootstrap, "test")
    await producer.start()
    await producer.send(list(records))
    await producer.stop()


@pytest.fixture
async def ends(kafka: Kafka) -> Offsets:
    """Where the topics end now: other tests' events lie before."""
    async with _plain_consumer(kafka) as consumer:
        return dict(await consumer.end_offsets(_places()))


@asynccontextmanager
async def _plain_consumer(kafka: Kafka) -> AsyncIterator[Any]:

    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def _places() -> list[Any]:

    topics = topics_with(SUBSCRIPTIONS)
    return [TopicPartition(topic, partition) for topic in topics for partition in range(TOPICS[topic].partitions)]


async def start_at(database: Database, group: str, offsets: Offsets) -> None:
    """Begin an empty projection that reads from these offsets."""
    async with database.transaction() as connection:
        for table in ("inbox", "consumer_offset", *_own_tables()):
            await connection.execute(text(f"DELETE FROM {table}"))
        for place, offset in offsets.items():
            await connection.execute(
                text("INSERT INTO consumer_offset VALUES (:group, :topic, :partition, :offset, 0)"),
                {"group": group, "topic": place.topic, "partition": place.partition, "offset": offset},
            )


def _own_tables() -> list[str]:
    return ["pools", "applications", "claims", "award_years", "envelopes", "tallies", "scheme_balances", "flows"]


async def projected(database: Database, kafka: Kafka, handlers: Handlers, group: str, version: int) -> Snapshot:
    """Consume until the pool has reached this version and every claim is settled; return the figures."""
    stop = asyncio.Event()
    consumer = Consumer(database, kafka.bootstrap, group=group, events=SUBSCRIPTIONS, handle=handlers.handle)
    running = asyncio.create_task(consumer.run(stop))
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                async with database.snapshot() as connection:
                    taken = await snapshot.read(connection, SHENZHEN)
                if _settled(taken) == COMPANIES and [pool.version for pool in taken.pools] == [version]:
                    return taken
                await asyncio.sleep(0.1)
    finally:
        stop.set()
        await running


COMPANIES = 20


def _settled(taken: Snapshot) -> int:
    counts = [
        value
        for (name, _, label), value in taken.tallies.items()
        if name == "payment_to_settlement" and label != "sum_microseconds"
    ]
    return sum(counts)


def figures(taken: Snapshot) -> tuple[Any, ...]:
    shown = {tally: value for tally, value in taken.tallies.items() if value}
    return taken.pools, taken.scheme_balances, taken.disbursed, shown, taken.envelopes, taken.last_event_at


async def test_a_rebuilt_projection_shows_the_same_figures(
    database: Database, kafka: Kafka, handlers: Handlers, ends: Offsets
) -> None:
    scheme = f"replay-{uuid4().hex[:8]}"
    ledger = Ledger(f"pool-{uuid4().hex[:8]}")
    told: list[Event] = [policy(scheme), ledger.open()]
    for number in range(COMPANIES):
        told += one_paid_case(ledger, Case(uuid4().int, scheme), minutes=number)
    records = [record(event) for event in told]
    await send(kafka, records[:100])
    await send(kafka, records[50:])  # a relay that crashed sends again what it had sent
    groups = [f"metrics-{uuid4().hex[:8]}" for _ in range(2)]

    await start_at(database, groups[0], ends)
    first = await projected(database, kafka, handlers, groups[0], ledger.version)
    await start_at(database, groups[1], ends)
    again = await projected(database, kafka, handlers, groups[1], ledger.version)

    assert figures(again) == figures(first)
    [pool] = first.pools
    assert (pool.disbursed, pool.imbalance, pool.breaks) == (COMPANIES * 12_345_678, 0, 0)
    assert first.tallies[("status", scheme, "awarded")] == COMPANIES


async def test_the_lag_of_a_dead_consumer_shows(kafka: Kafka) -> None:
    group = f"dead-{uuid4().hex[:8]}"
    place = next(place for place in _places() if place.topic == "disbursement.ledger")

    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([place])
    end = (await consumer.end_offsets([place]))[place]
    await consumer.commit({place: 0})
    await consumer.stop()
    lags = await LagWatch(kafka.bootstrap, 1, groups=[group]).read()
    assert lags == {(group, place): end}
