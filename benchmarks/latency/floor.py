"""The steps that nobody can save between a submission and its award: three commits, two trips through Kafka."""

import asyncio
import time
from statistics import median
from typing import Any, Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stack.supervisor import Stack

COMMITS: Final = 3
TRIPS: Final = 2
_TOPIC: Final = "bench.floor"
_DATABASE: Final = "bench_floor"
_BYTES: Final = b"x" * 1_000
_PAUSE_SECONDS: Final = 0.01


class Floor(msgspec.Struct, frozen=True):
    """Medians in milliseconds: a transaction that stores 1 kB, and from before sending 1 kB until it is read."""

    commit_ms: float
    trip_ms: float

    @property
    def sum_ms(self) -> float:
        return COMMITS * self.commit_ms + TRIPS * self.trip_ms


async def measure(stack: Stack, count: int) -> Floor:
    """Measure both, so many times each, one after another with pauses, as steps that wait for each other are."""
    return Floor(await _commit_ms(stack, count), await _trip_ms(stack.kafka_bootstrap, count))


async def _commit_ms(stack: Stack, count: int) -> float:
    superuser = await asyncpg.connect(stack.postgres.superuser_dsn())
    try:
        await superuser.execute(f"CREATE DATABASE {_DATABASE}")
        connection = await asyncpg.connect(stack.postgres.superuser_dsn(_DATABASE))
        try:
            return await _commits(connection, count)
        finally:
            await connection.close()
    finally:
        await superuser.execute(f"DROP DATABASE IF EXISTS {_DATABASE}")
        await superuser.close()


async def _commits(connection: "asyncpg.Connection[Any]", count: int) -> float:
    await connection.execute("CREATE TABLE kept (id bigserial PRIMARY KEY, data bytea NOT NULL)")
    insert = await connection.prepare("INSERT INTO kept (data) VALUES ($1)")
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await insert.fetch(_BYTES)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(_PAUSE_SECONDS)
    return round(1000 * median(times), 3)


async def _trip_ms(bootstrap: str, count: int) -> float:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(_TOPIC, num_partitions=1, replication_factor=1)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(_TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        return await _trips(producer, consumer, count)
    finally:
        await consumer.stop()
        await producer.stop()
        await admin.delete_topics([_TOPIC])
        await admin.close()


async def _trips(producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, count: int) -> float:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        sent = await producer.send(_TOPIC, _BYTES)
        await consumer.getone()
        times.append(time.perf_counter() - began)
        await sent
        await asyncio.sleep(_PAUSE_SECONDS)
    return round(1000 * median(times), 3)
