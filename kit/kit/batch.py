"""One batch, one transaction: offsets, parked keys, inbox, handler and outbox commit together or not at all.

A record that breaks the contract, or whose key is held, is parked on the way. A handler's error rolls all of it back;
``kit.consumer`` then tries smaller parts, down to the event that fails.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.topics import EVENTS
from kit import inbox, meters, offsets, outbox, parking, tracing
from kit.ahead import Batch, Positions, reached
from kit.database import Database
from kit.errors import FencedError, PermanentError
from kit.messages import Message, WrongKeyError, event_type_of
from kit.offsets import Portion, Portions
from kit.outbox import Announcements
from kit.parking import Parked, Place
from kit.reading import Reading

Handler = Callable[[AsyncConnection, Sequence[Message], datetime], Awaitable[Announcements]]


class Handled(msgspec.Struct, frozen=True):
    """What a committed batch was: the messages handled, how many records were skipped, its time, and what was said."""

    messages: list[Message]
    parked: list[Parked]
    skipped: int
    now: datetime
    said: Announcements = msgspec.field(default_factory=Announcements)


def _portions(batch: Batch, epochs: Mapping[TopicPartition, int], begins: Positions) -> Portions:
    """Return what is taken of each partition, as it stands now: a rebalance forgets epochs and positions meanwhile."""
    if any(place not in epochs or place not in begins for place in batch):
        raise FencedError("the partitions were given away while their batch waited")
    ends = reached(batch)
    return {place: Portion(epochs[place], begins[place], ends[place]) for place in batch}


class Batches:
    """Handles batches for one consumer group. ``dead_letters`` is the topic for copies of what can't be handled."""

    def __init__(
        self, database: Database, group: str, types: frozenset[str], handle: Handler, dead_letters: str
    ) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._group = group
        self._types = types
        self._handle = handle
        self._reading = Reading(self._wanted)
        self._free: dict[TopicPartition, int] = {}
        """The partitions in which nothing was parked, under the epochs of then. Only their owner parks anything."""

    def reading(self, following: Batch) -> AbstractAsyncContextManager[None]:
        """Read the batch that follows while the block handles the one before it."""
        return self._reading.of_next(following)

    async def transact(self, batch: Batch, epochs: Mapping[TopicPartition, int], begins: Positions) -> Handled:
        """Handle a batch in one transaction. ``begins`` is the offset at which what was handled of a partition ends.

        Raises FencedError when a partition is not ours any more, or the database says that another offset is next, and
        whatever the handler or the database raises; nothing has happened then.
        """
        portions = _portions(batch, epochs, begins)
        said = Announcements()
        with meters.BATCH_SECONDS.time(), tracing.work("process", self._group) as work:
            async with self._database.transaction() as connection:
                now, fresh, parked = await self._take(connection, batch, portions)
                if fresh:
                    fresh = work.of(fresh)
                    said = await self._handle(connection, fresh, now)
                    await outbox.add(connection, said)
        total = sum(len(records) for records in batch.values())
        return Handled(fresh, parked, total - len(fresh) - len(parked), now, said)

    async def _take(
        self, connection: AsyncConnection, batch: Batch, portions: Portions
    ) -> tuple[datetime, list[Message], list[Parked]]:
        """Move the offsets, park what has to wait; return the time, what was never handled before, and what waits.

        Where it is known that nothing is parked, nobody asks, and one statement does the rest.
        """
        if all(self._free.get(place) == portion.epoch for place, portion in portions.items()):
            messages, parked = self._sort(batch, portions, set())
            now, fresh = await inbox.take_unseen(connection, self._group, portions, messages)
            await self._park(connection, parked)
            return now, fresh, parked
        now = await offsets.take(connection, self._group, portions)
        held = await parking.held(connection, {place.topic for place in portions})
        nothing_held = not held
        messages, parked = self._sort(batch, portions, held)
        await self._park(connection, parked)
        if nothing_held and not parked:
            self._free |= {place: portion.epoch for place, portion in portions.items()}
        return now, await inbox.unseen(connection, messages), parked

    async def park(self, place: TopicPartition, event: Parked, epoch: int, begin: int) -> None:
        """Park the one record that can't be handled, and go past it."""
        portions = _portions({place: [event.record]}, {place: epoch}, {place: begin})
        async with self._database.transaction() as connection:
            await offsets.take(connection, self._group, portions)
            await self._park(connection, [event])

    def forget(self) -> None:
        """Ask again what is parked: the partitions were given away, or the database was set back."""
        self._free.clear()

    def _sort(self, batch: Batch, portions: Portions, held: set[Place]) -> tuple[list[Message], list[Parked]]:
        """Tell what can be handled from what has to wait: what is broken, or behind a parked event of its key."""
        messages: list[Message] = []
        parked: list[Parked] = []
        for place, records in batch.items():
            for record in records:
                if record.offset < portions[place].begin or not self._wanted(record):
                    continue
                found = self._message_or_parked(record, held)
                if isinstance(found, Message):
                    messages.append(found)
                else:
                    parked.append(found)
        return messages, parked

    def _message_or_parked(self, record: Any, held: set[Place]) -> Message | Parked:
        if held and parking.place_of(record) in held:
            return Parked(record=record, family="behind", reason="an earlier event of this key is parked", attempts=0)
        try:
            return self._reading.message(record)
        except PermanentError as error:
            if not isinstance(error, WrongKeyError):
                held.add(parking.place_of(record))
            return Parked(record=record, family="invalid", reason=str(error), error_class=type(error).__name__)

    def _wanted(self, record: Any) -> bool:
        """Skip the contract's other events of a topic; what the contract does not know has to be looked at."""
        name = event_type_of(record)
        return name in self._types or name not in EVENTS

    async def _park(self, connection: AsyncConnection, events: Sequence[Parked]) -> None:
        if not events:
            return
        for event in events:
            self._free.pop(TopicPartition(event.record.topic, event.record.partition), None)
        await parking.park(connection, events)
        letters = [event for event in events if event.family not in ("behind", "not_yet")]
        await outbox.add_dead_letters(connection, self._dead_letters, self._group, letters)
