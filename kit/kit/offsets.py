"""The consumer's offsets, in our own database: who owns a partition (its epoch), and where it goes on.

All statements lock rows in the order (topic, partition), so that two consumers never wait for each other in a ring.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from aiokafka import TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

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
_ADVANCE: Final = text(
    """
    UPDATE consumer_offset AS o SET next_offset = greatest(o.next_offset, u.next)
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:next AS bigint[])) AS u(t, p, next)
    WHERE o.consumer_group = :group AND o.topic = u.t AND o.partition = u.p
    """
)
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


async def advance(connection: AsyncConnection, group: str, next_offsets: Mapping[TopicPartition, int]) -> None:
    """Move the offsets forward, as part of the batch's transaction."""
    await connection.execute(_ADVANCE, _values(group, next_offsets) | {"next": list(next_offsets.values())})


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
