"""Our side: batches of fetched records through ``kit.batch.Batches``, as disbursement's consumer hands them over."""

from collections.abc import Sequence
from typing import Any, Self

from aiokafka import ConsumerRecord, TopicPartition

from benchmarks.ledger.side import BATCH, Side
from benchmarks.ledger.traffic import Told
from contracts.topics import TOPICS, event_type, topics_with
from disbursement.handlers import SUBSCRIPTIONS, handle
from kit import offsets
from kit.ahead import Batch, reached
from kit.batch import Batches
from kit.database import Database
from kit.following import log_handled, log_said
from kit.sealing import KEY_BYTES, Keyring

KEYRING = Keyring({"bench": bytes(KEY_BYTES)}, bytes(KEY_BYTES))
"""The same in all processes: what one seals, another opens."""


class Ours(Side):
    """One consumer process of disbursement, the ``number``-th of ``of``, with its share of the partitions."""

    def __init__(self, database: Database, number: int, of: int) -> None:
        super().__init__(number)
        self._database = database
        self._share = (number, of)
        self._group = f"disbursement-{of}"  # a group of its own, so that one process and two do not fence each other
        types = frozenset(event_type(event) for event in SUBSCRIPTIONS)
        self._batches = Batches(database, self._group, types, handle, "disbursement.dead-letters")
        self._next: dict[TopicPartition, int] = {}
        self._handled: dict[TopicPartition, int] = {}
        self._epochs: dict[TopicPartition, int] = {}

    @classmethod
    async def open(cls, dsn: str, number: int = 0, of: int = 1) -> Self:
        ours = cls(Database(dsn, pool_size=2, name="bench", keyring=KEYRING), number, of)
        places = [
            TopicPartition(name, partition)
            for name in topics_with(SUBSCRIPTIONS)
            for partition in range(number, TOPICS[name].partitions, of)
        ]
        async with ours._database.transaction() as connection:
            for place, (next_offset, epoch) in (await offsets.claim(connection, ours._group, places)).items():
                ours._next[place] = ours._handled[place] = next_offset
                ours._epochs[place] = epoch
        return ours

    async def handle(self, told: Sequence[Told], batch_size: int = BATCH) -> None:
        """Handle events in batches; each is one transaction, the outbox and the offsets in it.

        As the consumer does it: the next batch is read while one is handled.
        """
        following = self._fetched(told[:batch_size])
        for at in range(batch_size, len(told) + batch_size, batch_size):
            batch, following = following, self._fetched(told[at : at + batch_size])
            async with self._batches.reading(following):
                handled = await self._batches.transact(batch, self._epochs, self._handled)
            self._handled |= reached(batch)
            assert not handled.parked, f"an event was parked: {handled.parked[0].reason}"
            log_handled(handled.messages)
            log_said(handled.said)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        async with self._database.reading() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            return [dict(row) for row in await driver.fetch(query, *args)]

    async def close(self) -> None:
        await self._database.close()

    def _fetched(self, told: Sequence[Told]) -> Batch:
        """Return events as the client would have fetched them, in the next places of our partitions."""
        batch: Batch = {}
        number, of = self._share
        for one in told:
            place = TopicPartition(one.topic, one.partition - one.partition % of + number)
            offset = self._next[place]
            self._next[place] = offset + 1
            sizes = len(one.key), len(one.value)
            record = ConsumerRecord(
                one.topic, place.partition, offset, 0, 0, one.key, one.value, None, *sizes, one.headers
            )
            batch.setdefault(place, []).append(record)
        return batch
