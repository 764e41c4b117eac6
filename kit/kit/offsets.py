"""The consumer's offsets, in our own database: who owns a partition (its epoch), and where it goes on.

All statements lock rows in the order (topic, partition), so that two consumers never wait for each other in a ring.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from aiokafka import TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.driver import fetch
from kit.errors import FencedError

_CLAIM: Final = text(
    """
    INSERT INTO consumer_offset (consumer_group, topic, partition, next_offset, epoch)
    SELECT :group, t, p, 0, 1 FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])) AS u(t, p)
    ORDER BY t, p
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET epoch = consumer_offset.epoch + 1
    RETURNING topic, partition, next_offset, epoch
    """
)
_FENCE: Final = text(
    """
    SELECT topic, partition, next_offset, epoch, now() AS now FROM consumer_offset
    WHERE consumer_group = :group AND (topic, partition) IN (
      SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])))
    ORDER BY topic, partition FOR UPDATE
    """
)
TAKEN: Final = """
given AS (
  SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS given(topic, partition, epoch, begin, next)
), locked AS MATERIALIZED (
  SELECT o.topic, o.partition FROM consumer_offset AS o JOIN given USING (topic, partition)
  WHERE o.consumer_group = $1 ORDER BY o.topic, o.partition FOR UPDATE OF o
), taken AS (
  UPDATE consumer_offset AS o SET next_offset = greatest(o.next_offset, given.next)
  FROM given JOIN locked USING (topic, partition)
  WHERE o.consumer_group = $1 AND o.topic = given.topic AND o.partition = given.partition
    AND o.epoch = given.epoch AND o.next_offset = given.begin
  RETURNING 1
)
"""
"""The part of a statement that moves offsets; its first six values are ``values_of`` them."""
_TAKE: Final = f"WITH {TAKEN} SELECT now(), (SELECT count(*) FROM taken)"  # noqa: S608  # a constant
_READ: Final = text(
    """
    SELECT topic, partition, next_offset FROM consumer_offset
    WHERE consumer_group = :group AND (topic, partition) IN (
      SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])))
    """
)


async def claim(
    connection: AsyncConnection, group: str, places: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    """Raise the epoch of these partitions, which fences whoever had them; return (next offset, epoch) of each."""
    rows = await connection.execute(_CLAIM, _values(group, places))
    return {TopicPartition(row.topic, row.partition): (row.next_offset, row.epoch) for row in rows}


async def fence(
    connection: AsyncConnection, group: str, epochs: Mapping[TopicPartition, int]
) -> tuple[datetime, dict[TopicPartition, int]]:
    """Lock the offsets for this transaction; return the transaction's time and the next offset of each partition.

    Raises FencedError when an epoch is not the one given: somebody else has claimed that partition since.
    """
    rows = (await connection.execute(_FENCE, _values(group, epochs))).all()
    for row in rows:
        if epochs[TopicPartition(row.topic, row.partition)] != row.epoch:
            raise FencedError(f"{row.topic}/{row.partition} belongs to epoch {row.epoch} now")
    if len(rows) != len(epochs):
        raise FencedError("the row of an offset is gone")
    return rows[0].now, {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}


class Portion(msgspec.Struct, frozen=True):
    """What a batch has of a partition: under which epoch, from where, and the offset after it."""

    epoch: int
    begin: int
    next: int


Portions = Mapping[TopicPartition, Portion]


async def take(connection: AsyncConnection, group: str, batch: Portions) -> datetime:
    """Move the offsets past a batch, as the first part of its transaction, which holds them until its end.

    Returns the transaction's time. Raises FencedError, and the transaction has to be rolled back, when a partition
    belongs to another epoch, or goes on at another offset: so nothing is ever passed over, whatever was fetched.
    """
    [[now, count]] = await fetch(connection, _TAKE, *values_of(group, batch))
    await check_taken(connection, group, batch, count)
    moment: datetime = now
    return moment


def values_of(group: str, batch: Portions) -> list[Any]:
    """Return what ``TAKEN`` is given."""
    places, portions = list(batch), list(batch.values())
    return [
        group,
        [place.topic for place in places],
        [place.partition for place in places],
        [portion.epoch for portion in portions],
        [portion.begin for portion in portions],
        [portion.next for portion in portions],
    ]


async def check_taken(connection: AsyncConnection, group: str, batch: Portions, count: int) -> None:
    """Raise FencedError, saying why, unless the offsets of all partitions were moved."""
    if count == len(batch):
        return
    _, starts = await fence(connection, group, {place: portion.epoch for place, portion in batch.items()})
    for place, start in starts.items():
        if batch[place].begin != start:
            raise FencedError(f"{place.topic}/{place.partition} goes on at {start}, not at {batch[place].begin}")
    raise FencedError("a partition was given away and taken back meanwhile")


async def read(connection: AsyncConnection, group: str, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the next offset of each partition that has handled anything yet."""
    rows = await connection.execute(_READ, _values(group, places))
    return {TopicPartition(row.topic, row.partition): row.next_offset for row in rows if row.next_offset}


def _values(group: str, places: Iterable[TopicPartition]) -> dict[str, Any]:
    places = list(places)
    return {
        "group": group,
        "topics": [place.topic for place in places],
        "partitions": [place.partition for place in places],
    }
