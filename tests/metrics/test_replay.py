"""The projection over real Kafka: sent twice, read in any order, rebuilt from the topics, always the same figures."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.events import Event
from contracts.topics import topics_with
from kit.consumer import Consumer
from kit.database import Database
from metrics import snapshot, tables
from metrics.handlers import SUBSCRIPTIONS, Handlers
from metrics.lag import LagWatch, Reached, Seen
from metrics.snapshot import Snapshot
from stack.kafka import Kafka
from stack.ports import free_ports
from tests.kit import broker
from tests.kit.broker import DEADLINE_SECONDS, Offsets
from tests.kit.conftest import eventually
from tests.metrics.conftest import DELIVERY_TABLES, SHENZHEN
from tests.metrics.story import Case, Ledger, one_paid_case, policy

COMPANIES = 20


@pytest.fixture
async def ends(kafka: Kafka) -> Offsets:
    return await broker.ends_of(kafka.bootstrap, topics_with(SUBSCRIPTIONS))


async def begin_anew(database: Database, ends: Offsets) -> str:
    """Empty the projection and return a group that reads from these offsets."""
    own = sorted(tables.metadata.tables.keys() - DELIVERY_TABLES)
    async with database.transaction() as connection:
        for table in ("inbox", "consumer_offset", *own):
            await connection.execute(text(f"DELETE FROM {table}"))
    group = f"metrics-{uuid4().hex[:8]}"
    await broker.start_at(database, group, ends)
    return group


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
    this_year = datetime.now(SHENZHEN).year
    told: list[Event] = [policy(scheme), ledger.open(), ledger.set_envelope(7_000, year=this_year, scheme=scheme)]
    for number in range(COMPANIES):
        told += one_paid_case(ledger, Case(uuid4().int, scheme), minutes=number)
    records = [broker.record_of(event) for event in told]
    await broker.send(kafka.bootstrap, records[:100])
    await broker.send(kafka.bootstrap, records[50:])  # a relay that crashed sends again what it had sent

    first = await projected(database, kafka, handlers, await begin_anew(database, ends), ledger.version)
    again = await projected(database, kafka, handlers, await begin_anew(database, ends), ledger.version)

    assert figures(again) == figures(first)
    [pool] = first.pools
    assert (pool.disbursed, pool.imbalance, pool.breaks) == (COMPANIES * 12_345_678, 0, 0)
    assert first.tallies[("status", scheme, "awarded")] == COMPANIES
    assert first.envelopes == {scheme: 7_000}


async def test_the_lag_of_a_dead_consumer_shows(kafka: Kafka, ends: Offsets) -> None:
    group = f"dead-{uuid4().hex[:8]}"
    place = next(place for place in ends if place.topic == "disbursement.ledger")
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: 0})
    await consumer.stop()
    seen = await LagWatch(kafka.bootstrap, 1, groups=[group]).read()
    assert seen == Seen(brokers=1, reached={(group, place): Reached(committed=0, end=ends[place])})


async def test_the_watch_shows_brokers_and_lag_and_takes_them_away_when_none_answers(kafka: Kafka) -> None:
    [port] = free_ports(1)
    for bootstrap, brokers in ((kafka.bootstrap, 1.0), (f"127.0.0.1:{port}", 0.0)):
        stop = asyncio.Event()
        watching = asyncio.create_task(LagWatch(bootstrap, 0.05, groups=[]).run(stop))
        await eventually(lambda: REGISTRY.get_sample_value("drawdown_kafka_brokers") == brokers)  # noqa: B023
        stop.set()
        await watching
