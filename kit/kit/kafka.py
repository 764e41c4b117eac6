"""Kafka's clients as they are set up here: every writer partitions by murmur2, every await has a deadline."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import murmur2

from contracts.topics import TOPICS
from kit.brokers import connection
from kit.deadlines import within
from kit.errors import SetupError, TransientError
from kit.messages import Header

PRODUCE_DEADLINE_SECONDS: Final = 30.0
STOP_DEADLINE_SECONDS: Final = 2.0
_MAX_BATCH_BYTES: Final = 512 * 1024


class Record:
    """A record to be produced. A plain class with slots: thousands of them a second are made."""

    __slots__ = ("headers", "key", "timestamp_ms", "topic", "value")

    def __init__(self, topic: str, key: bytes, value: bytes | None, headers: list[Header], timestamp_ms: int) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp_ms = timestamp_ms


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Java's default partitioner (and aiokafka's) has it: murmur2."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


class Fetch(msgspec.Struct, frozen=True):
    """When a broker answers a fetch: with so many bytes, or after so long (``fetch.min.bytes``, ``fetch.max.wait.ms``).

    A fetch names all partitions and costs both sides half a millisecond. With a single byte there is one for each few
    events that come; whoever takes its time with a batch would have them come in dozens that it does not need.
    """

    min_bytes: int = 1
    wait_seconds: float = 0.25


AT_ONCE: Final = Fetch()


def group_consumer(bootstrap: str, group: str, fetch: Fetch = AT_ONCE) -> AIOKafkaConsumer:
    """Return a member of a consumer group, not started, that commits nothing by itself."""
    return AIOKafkaConsumer(
        **connection(bootstrap),
        group_id=group,
        client_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        max_poll_interval_ms=120_000,
        request_timeout_ms=20_000,
        fetch_min_bytes=fetch.min_bytes,
        fetch_max_wait_ms=round(1000 * fetch.wait_seconds),
        max_partition_fetch_bytes=2 * 1024 * 1024,
        metadata_max_age_ms=30_000,
    )


class Producer:
    """An idempotent producer that sends whole batches in order. After any error it is of no use: build a new one."""

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._producer = AIOKafkaProducer(
            **connection(bootstrap),
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            max_batch_size=_MAX_BATCH_BYTES,
            request_timeout_ms=int(PRODUCE_DEADLINE_SECONDS * 1000),
            retry_backoff_ms=50,
        )
        self._checked: set[str] = set()

    async def start(self) -> None:
        await within(PRODUCE_DEADLINE_SECONDS, self._producer.start(), "starting the producer")

    async def send(self, records: Sequence[Record]) -> None:
        """Send the records, in order within each partition; return when the brokers have them all."""
        by_partition: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            place = (record.topic, partition_of(record.key, TOPICS[record.topic].partitions))
            by_partition.setdefault(place, []).append(record)
        await within(PRODUCE_DEADLINE_SECONDS, self._send(by_partition), "producing")

    async def _send(self, by_partition: dict[tuple[str, int], list[Record]]) -> None:
        for topic in {topic for topic, _ in by_partition}:
            await self._check_partitions(topic)
        sent = [future for place, batch in by_partition.items() for future in await self._send_partition(*place, batch)]
        await asyncio.gather(*sent)

    async def _send_partition(self, topic: str, partition: int, records: Sequence[Record]) -> list[Any]:
        futures = []
        batch = self._producer.create_batch()
        for record in records:
            if not _append(batch, record):
                futures.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                if not _append(batch, record):
                    raise SetupError(f"an event for {topic} does not fit into a batch of {_MAX_BATCH_BYTES} bytes")
        futures.append(await self._producer.send_batch(batch, topic, partition=partition))
        return futures

    async def _check_partitions(self, topic: str) -> None:
        if topic in self._checked:
            return
        found = len(await self._producer.partitions_for(topic) or ())
        wanted = TOPICS[topic].partitions
        if found == 0:
            raise TransientError(f"the topic {topic} does not exist: create it with {wanted} partitions")
        if found != wanted:
            raise SetupError(f"the topic {topic} has {found} partitions, the contract says {wanted}: keys would move")
        self._checked.add(topic)

    async def stop(self) -> None:
        """Stop under a deadline: a producer whose broker hangs would wait for ever.

        What was not sent by then never will be. aiokafka would go on trying, long after another producer has sent it.
        """
        try:
            await within(STOP_DEADLINE_SECONDS, self._producer.stop(), "stopping the producer")
        except TimeoutError:
            await within(STOP_DEADLINE_SECONDS, self._give_up(), "closing the producer's connections")
            raise

    async def _give_up(self) -> None:
        sending = self._producer._sender.sender_task  # noqa: SLF001  # aiokafka offers no other way to end it
        if sending is not None:
            sending.cancel()  # from now on it only waits for the requests that are under way
        await self._producer.client.close()
        if sending is not None:
            sending.cancel()  # and they would wait for ever for a client that is closed


def _append(batch: Any, record: Record) -> bool:
    metadata = batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=record.headers)
    return metadata is not None
