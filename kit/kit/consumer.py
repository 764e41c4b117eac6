"""The consumer: batches of events, each handled in one transaction with its offset, exactly once in effect.

The offset that counts is the one in our database. Each batch locks it first and compares its epoch: another epoch
means that this process is a zombie whose partitions were given away, and its batch rolls back. ``inbox`` drops what
a relay or a redrive sent twice. Offsets are committed to Kafka too, but only for its lag tools.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import Event
from contracts.topics import EVENTS, event_type, topics_with
from kit import meters, offsets, outbox
from kit.backoff import Backoff
from kit.database import Database, describe
from kit.errors import FencedError, PermanentError, TransientError
from kit.logging import get_logger
from kit.messages import Message, event_type_of, parse
from kit.outbox import Announcements

log = get_logger(__name__)

Handler = Callable[[AsyncConnection, Sequence[Message], datetime], Awaitable[Announcements]]
Batch = dict[TopicPartition, list[Any]]

_START_DEADLINE_SECONDS: Final = 30.0
_STOP_DEADLINE_SECONDS: Final = 10.0
_COMMIT_EVERY_SECONDS: Final = 5.0
_POLL_MS: Final = 200
_WAITED_OUT: Final = (KafkaError, SQLAlchemyError, OSError, TimeoutError, TransientError)

_INBOX: Final = text(
    """
    INSERT INTO inbox (event_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING RETURNING event_id
    """
)


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the topics that carry ``events`` and hands them to ``handle``, batch by batch."""

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        *,
        group: str,
        events: Iterable[type[Event]],
        handle: Handler,
        max_batch_events: int = 500,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        events = list(events)
        self._database = database
        self._bootstrap = bootstrap
        self._group = group
        self._topics = topics_with(events)
        self._types = frozenset(event_type(event) for event in events)
        self._handle = handle
        self._max_batch_events = max_batch_events
        self._committed = committed
        self._epochs: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._blocked: dict[TopicPartition, tuple[Backoff, float]] = {}
        self._assigned = False
        self.trouble: str | None = "the consumer has not started"

    # --- the loop ---------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop``. A fenced or broken consumer is thrown away and built anew."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await self._consume(stop, backoff)
            except (*_WAITED_OUT, FencedError) as error:
                self.trouble = f"the consumer waits: {describe(error)}"
                log.warning("consumer_waits", reason=describe(error), error_class=type(error).__name__)
                await backoff.pause(stop)

    async def _consume(self, stop: asyncio.Event, backoff: Backoff) -> None:
        kafka = self._build()
        try:
            async with asyncio.timeout(_START_DEADLINE_SECONDS):
                await kafka.start()
            kafka.subscribe(self._topics, listener=self)
            committed_at = 0.0
            while not stop.is_set():
                await self._claim(kafka)
                batch = await kafka.getmany(timeout_ms=_POLL_MS, max_records=self._max_batch_events)
                await self._process(kafka, self._claimed_part(batch))
                self._measure_lag(kafka)
                self.trouble = self._state()
                backoff.reset()
                if asyncio.get_running_loop().time() - committed_at > _COMMIT_EVERY_SECONDS:
                    committed_at = asyncio.get_running_loop().time()
                    await self._commit_for_tools(kafka)
        finally:
            self._forget()
            await self._close(kafka)

    def _build(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_poll_interval_ms=120_000,
            request_timeout_ms=20_000,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            metadata_max_age_ms=30_000,
        )

    async def _close(self, kafka: AIOKafkaConsumer) -> None:
        try:
            await asyncio.wait_for(kafka.stop(), _STOP_DEADLINE_SECONDS)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("consumer_dropped", reason=describe(error))

    def _state(self) -> str | None:
        if not self._assigned:
            return "the consumer waits for its partitions"
        if self._blocked:
            return f"blocked: {', '.join(sorted(f'{tp.topic}/{tp.partition}' for tp in self._blocked))}"
        return None

    # --- partitions: whose they are ------------------------------------------------------------------------

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """Forget the epochs: whatever is assigned next has to be claimed anew."""
        self._forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Claim nothing here (errors in this callback are lost): the loop does, before it reads."""
        self._forget()
        self._assigned = True
        log.info("partitions_assigned", count=len(list(assigned)))

    def _forget(self) -> None:
        self._epochs.clear()
        self._positions.clear()
        self._blocked.clear()
        self._assigned = False

    async def _claim(self, kafka: AIOKafkaConsumer) -> None:
        """Raise the epoch of every partition that is newly ours, and start where the database says."""
        unclaimed = sorted(set(kafka.assignment()) - self._epochs.keys())
        if not unclaimed:
            return
        async with self._database.transaction() as connection:
            claimed = await offsets.claim(connection, self._group, unclaimed)
        for place, (next_offset, epoch) in claimed.items():
            if place in kafka.assignment():
                kafka.seek(place, next_offset)
                self._epochs[place] = epoch
                self._positions[place] = next_offset

    def _claimed_part(self, batch: Batch) -> Batch:
        return {place: records for place, records in batch.items() if place in self._epochs}

    # --- batches: all partitions together, or each alone ------------------------------------------------

    async def _process(self, kafka: AIOKafkaConsumer, batch: Batch) -> None:
        """Handle what was fetched in one transaction; where that fails, each partition by itself."""
        self._resume_due(kafka)
        if not batch:
            return
        if len(batch) > 1:
            try:
                await self._transact(batch)
            except FencedError:
                raise
            except Exception as error:  # noqa: BLE001  # told apart below, partition by partition
                log.warning("batch_split", reason=describe(error), partitions=len(batch))
            else:
                for place in batch:
                    self._blocked.pop(place, None)
                return
        for place, records in batch.items():
            await self._process_partition(kafka, place, records)

    async def _process_partition(self, kafka: AIOKafkaConsumer, place: TopicPartition, records: list[Any]) -> None:
        try:
            await self._transact({place: records})
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the partition stands still until it is cured
            self._block(kafka, place, records[0].offset, error)
        else:
            self._blocked.pop(place, None)

    def _block(self, kafka: AIOKafkaConsumer, place: TopicPartition, offset: int, error: Exception) -> None:
        """Stop one partition loudly and try it again later; the others go on."""
        backoff, _ = self._blocked.get(place, (Backoff(0.05, 10.0), 0.0))
        pause_seconds = backoff.next_seconds()
        self._blocked[place] = (backoff, asyncio.get_running_loop().time() + pause_seconds)
        if place in kafka.assignment():
            kafka.seek(place, offset)
            kafka.pause(place)
        expected = isinstance(error, _WAITED_OUT)
        say = log.warning if expected else log.error
        say(
            "partition_blocked",
            topic=place.topic,
            partition=place.partition,
            offset=offset,
            reason=describe(error),
            error_class=type(error).__name__,
            attempts=backoff.attempts,
            retry_in_seconds=round(pause_seconds, 3),
            exc_info=None if expected or isinstance(error, PermanentError) else error,
        )
        self._count_blocked()

    def _resume_due(self, kafka: AIOKafkaConsumer) -> None:
        now = asyncio.get_running_loop().time()
        for place, (_, due) in self._blocked.items():
            if due <= now and place in kafka.assignment():
                kafka.resume(place)
        self._count_blocked()

    def _count_blocked(self) -> None:
        for topic in self._topics:
            meters.BLOCKED.labels(topic).set(sum(place.topic == topic for place in self._blocked))

    # --- one transaction --------------------------------------------------------------------------------

    async def _transact(self, batch: Batch) -> None:
        """Fence, inbox, handle, outbox, offset: commit together or not at all."""
        epochs = {place: self._epochs[place] for place in batch if place in self._epochs}
        if len(epochs) != len(batch):
            raise FencedError("the partitions were given away while their batch waited")
        reached = {place: records[-1].offset + 1 for place, records in batch.items()}
        with meters.BATCH_SECONDS.time():
            async with self._database.transaction() as connection:
                now, starts = await offsets.fence(connection, self._group, epochs)
                fresh = await self._unseen(connection, self._messages(batch, starts))
                if fresh:
                    await outbox.add(connection, await self._handle(connection, fresh, now))
                await offsets.advance(connection, self._group, reached)
        self._committed()
        self._positions.update(reached)
        self._count(batch, fresh, now)

    def _messages(self, batch: Batch, starts: dict[TopicPartition, int]) -> list[Message]:
        return [
            parse(record)
            for place, records in batch.items()
            for record in records
            if record.offset >= starts[place] and self._wanted(record)
        ]

    def _wanted(self, record: Any) -> bool:
        """Skip the contract's other events of a topic; what the contract does not know is an error in ``parse``."""
        name = event_type_of(record)
        return name in self._types or name not in EVENTS

    async def _unseen(self, connection: AsyncConnection, messages: list[Message]) -> list[Message]:
        if not messages:
            return []
        rows = await connection.execute(_INBOX, {"ids": sorted({message.id for message in messages})})
        fresh = set(rows.scalars())
        first_of = {message.id: message for message in reversed(messages)}
        return [message for message in messages if message.id in fresh and first_of[message.id] is message]

    # --- what is seen from outside ---------------------------------------------------------------------

    def _count(self, batch: Batch, fresh: list[Message], now: datetime) -> None:
        skipped = sum(len(records) for records in batch.values()) - len(fresh)
        if skipped:
            meters.EVENTS.labels("", "skipped").inc(skipped)
        for message in fresh:
            meters.EVENTS.labels(message.type, "handled").inc()
            delay_seconds = max(0.0, (now - message.time).total_seconds())
            meters.EVENT_DELAY.observe(delay_seconds)
            meters.CONSUMER_LAG_SECONDS.labels(message.topic, message.partition).set(delay_seconds)

    def _measure_lag(self, kafka: AIOKafkaConsumer) -> None:
        for place in self._epochs:
            if place not in kafka.assignment():
                continue
            end = kafka.highwater(place)
            if end is None:
                continue
            behind = max(0, end - self._positions.get(place, end))
            meters.CONSUMER_LAG.labels(place.topic, place.partition).set(behind)
            if behind == 0:
                meters.CONSUMER_LAG_SECONDS.labels(place.topic, place.partition).set(0)

    async def _commit_for_tools(self, kafka: AIOKafkaConsumer) -> None:
        """Tell Kafka where we are, for its lag tools; nothing of ours reads it."""
        if not self._epochs:
            return
        async with self._database.reading() as connection:
            known = await offsets.read(connection, self._group, self._epochs)
        mine = {place: offset for place, offset in known.items() if place in kafka.assignment()}
        if not mine:
            return
        try:
            async with asyncio.timeout(_STOP_DEADLINE_SECONDS):
                await kafka.commit(mine)
        except (KafkaError, TimeoutError) as error:  # a rebalance, most often: the work itself is safe, so go on
            log.warning("offsets_not_told", reason=describe(error), error_class=type(error).__name__)
