"""The consumer: takes batches from Kafka and has each handled in one transaction, exactly once in effect.

The offset that counts is the one in our database. Each batch locks it first and compares its epoch: another epoch
means that this process is a zombie whose partitions were given away, and its batch rolls back. Offsets are committed
to Kafka too, but only for its lag tools.

What fails is told apart. An error that passes (the database is away) blocks its partition, which is tried again,
backing off. Any other is narrowed down to the one event, and that event is parked with its key; other keys go on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from contracts.events import Event
from contracts.topics import event_type, topics_with
from kit.ahead import Ahead, Batch, reached
from kit.backoff import Backoff
from kit.batch import Batches, Handler
from kit.blocked import BlockedPartitions
from kit.database import Database, describe, is_transient
from kit.deadlines import StoppingError, unless, within
from kit.errors import FencedError, NotYetError, PermanentError, TransientError
from kit.following import log_handled, log_said
from kit.held import Held
from kit.kafka import AT_ONCE, Fetch, group_consumer
from kit.logging import get_logger
from kit.outbox import Announcements
from kit.pace import Pace
from kit.parking import Family, Parked
from kit.sightings import count, log_parked, measure_lag

log = get_logger(__name__)

_START_DEADLINE_SECONDS: Final = 30.0
_STOP_DEADLINE_SECONDS: Final = 3.0
_WAITED_OUT: Final = (KafkaError, SQLAlchemyError, OSError, TimeoutError, TransientError, FencedError)

# An error that no family claims may be a race that a second look decides; after this many it is the event's fault.
TRIES: Final = 3
# What waits for another topic is most often there within moments.
NOT_YET_SECONDS: Final = 0.5


class TopicLostError(Exception):
    """A topic ended before what was handled of it: it was lost, or made anew. A person has to say where to go on.

    The client starts over at the beginning by itself. To follow it would handle again what the inbox has forgotten;
    to wait for the old offset would pass over what is new.
    """


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the topics that carry ``events`` and hands them to ``handle``, batch by batch.

    ``committed`` is called after each commit with what was said, ``progressed`` whenever a batch is finished or there
    is nothing to do. ``patience_seconds`` is how long what nobody waits for may wait for others (``kit.pace``),
    ``fetch`` when brokers answer.
    """

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        *,
        group: str,
        events: Iterable[type[Event]],
        handle: Handler,
        max_batch_events: int = 1000,
        pace_seconds: float = 0.0,
        patience_seconds: float = 0.0,
        fetch: Fetch = AT_ONCE,
        committed: Callable[[Announcements], None] = lambda _: None,
        progressed: Callable[[], None] = lambda: None,
        dead_letters: str | None = None,
    ) -> None:
        events = list(events)
        self._bootstrap = bootstrap
        self._group = group
        self._fetch = fetch
        self._topics = topics_with(events)
        types = frozenset(event_type(event) for event in events)
        self._batches = Batches(database, group, types, handle, dead_letters or f"{group}.dead-letters")
        self._committed = committed
        self._progressed = progressed
        self._held = Held(database, group)
        self._ahead = Ahead(max_batch_events, Pace(pace_seconds, patience_seconds))
        self._blocked = BlockedPartitions(self._topics)
        self._tries: dict[tuple[TopicPartition, int], int] = {}
        self._assigned = False
        self._stops: Callable[[], bool] = lambda: False
        self.trouble: str | None = "the consumer has not started"

    # --- the loop ---------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop``. A fenced or broken consumer is thrown away and built anew."""
        backoff, self._stops = Backoff(), stop.is_set
        while not stop.is_set():
            stopping = asyncio.create_task(stop.wait())
            try:
                await self._consume(stopping, backoff)
            except StoppingError:
                return
            except _WAITED_OUT as error:
                self.trouble = f"the consumer waits: {describe(error)}"
                log.warning("consumer_waits", reason=describe(error), error_class=type(error).__name__)
                await backoff.pause(stop)
            finally:
                stopping.cancel()

    async def _consume(self, stopping: "asyncio.Task[Any]", backoff: Backoff) -> None:
        kafka = group_consumer(self._bootstrap, self._group, self._fetch)
        try:
            await unless(stopping, within(_START_DEADLINE_SECONDS, kafka.start(), "starting the consumer"))
            kafka.subscribe(self._topics, listener=self)
            self.trouble = self._state()
            while not stopping.done():
                self._ahead.drop(await self._held.claim(kafka))
                batch = self._in_order(kafka, await unless(stopping, self._ahead.next(kafka, self._held.positions)))
                following = await unless(stopping, self._ahead.fetch(kafka, batch, self._held.positions))
                async with self._batches.reading(following):
                    await self._process(kafka, batch)
                if measure_lag(kafka, self._held.positions) == 0 and self._assigned:
                    self._progressed()
                self.trouble = self._state()
                backoff.reset()
                await self._held.look_round(kafka)
        finally:
            self._forget()
            await self._close(kafka)

    async def _close(self, kafka: AIOKafkaConsumer) -> None:
        try:
            await within(_STOP_DEADLINE_SECONDS, kafka.stop(), "stopping the consumer")
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("consumer_dropped", reason=describe(error))

    def blocked(self) -> Mapping[TopicPartition, str]:
        """Return the partitions of this process that stand still, each with the reason."""
        return self._blocked.reasons()

    def _state(self) -> str | None:
        if not self._assigned:
            return "the consumer waits for its partitions"
        if self._blocked:
            return f"blocked: {self._blocked}"
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
        self._ahead.drop(self._held.positions)
        self._held.forget()
        self._batches.forget()
        self._blocked.forget()
        self._assigned = False

    def _in_order(self, kafka: AIOKafkaConsumer, batch: Batch) -> Batch:
        """Take what is ours. A partition that goes back stands still: its offset was not there any more."""
        taken: Batch = {}
        for place, records in batch.items():
            if place not in self._held.epochs:
                continue
            if records[0].offset < self._held.positions[place]:
                lost = TopicLostError(f"the topic ended before {self._held.positions[place]}")
                self._blocked.block(kafka, place, self._held.positions[place], lost)
                continue
            taken[place] = records
        return taken

    # --- batches: all partitions together, or each alone, or half by half ---------------------------------

    async def _process(self, kafka: AIOKafkaConsumer, batch: Batch) -> None:
        """Handle what was fetched in one transaction; where that fails, each partition by itself."""
        self._blocked.resume_due(kafka)
        if len(batch) > 1:
            try:
                await self._transact(batch)
            except FencedError:
                raise
            except Exception as error:  # noqa: BLE001  # told apart here and below
                if is_transient(error):
                    for place, records in batch.items():
                        self._blocked.block(kafka, place, records[0].offset, error)
                    return
                log.warning("batch_split", reason=describe(error), partitions=len(batch))
            else:
                return
        for place, records in batch.items():
            await self._process_partition(kafka, place, records)

    async def _process_partition(self, kafka: AIOKafkaConsumer, place: TopicPartition, records: list[Any]) -> bool:
        """Handle a partition's records in order, halving them where they fail; return False where it has to wait.

        Raises StoppingError instead of beginning anything more: to narrow down takes as long as there are events.
        """
        if self._stops():
            raise StoppingError
        try:
            await self._transact({place: records})
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing of it was committed
            if is_transient(error):
                self._blocked.block(kafka, place, records[0].offset, error)
                return False
            if len(records) == 1:
                return await self._park_or_wait(kafka, place, records[0], error)
            middle = len(records) // 2
            return await self._process_partition(kafka, place, records[:middle]) and await self._process_partition(
                kafka, place, records[middle:]
            )
        return True

    async def _park_or_wait(
        self, kafka: AIOKafkaConsumer, place: TopicPartition, record: Any, error: Exception
    ) -> bool:
        """Park the one record that fails for good; return False where it is worth another try."""
        tries = self._tries[(place, record.offset)] = self._tries.get((place, record.offset), 0) + 1
        family = _family(error)
        if family == "failed" and tries < TRIES:
            self._blocked.block(kafka, place, record.offset, error)
            return False
        event = Parked(
            record=record,
            family=family,
            reason=describe(error),
            error_class=type(error).__name__,
            attempts=tries,
            next_try_seconds=NOT_YET_SECONDS,
        )
        try:
            begin = self._held.positions.get(place, -1)
            await self._batches.park(place, event, self._held.epochs.get(place, -1), begin)
        except FencedError:
            raise
        except Exception as parking_failed:  # noqa: BLE001  # then the partition waits: nothing may be passed over
            self._blocked.block(kafka, place, record.offset, parking_failed)
            return False
        self._passed({place: [record]})
        log_parked([event], exc_info=error if family == "failed" else None)
        self._committed(Announcements())
        return True

    async def _transact(self, batch: Batch) -> None:
        handled = await self._batches.transact(batch, self._held.epochs, self._held.positions)
        self._passed(batch)
        self._committed(handled.said)
        log_parked([event for event in handled.parked if event.family != "behind"])
        log_handled(handled.messages)
        log_said(handled.said)
        count(handled)

    def _passed(self, batch: Batch) -> None:
        self._progressed()
        self._held.positions.update(reached(batch))
        self._blocked.passed(batch)
        for place, records in batch.items() if self._tries else ():
            for record in records:
                self._tries.pop((place, record.offset), None)


def _family(error: Exception) -> Family:
    if isinstance(error, NotYetError):
        return "not_yet"
    return "refused" if isinstance(error, PermanentError) else "failed"
