"""Reading ahead goes on whatever happens to the batch meanwhile."""

import asyncio

from aiokafka import TopicPartition

from kit.reading import Reading


async def test_partitions_that_are_dropped_while_their_records_are_read_disturb_nothing() -> None:
    seen: list[object] = []

    def wanted(record: object) -> bool:
        seen.append(record)
        return False

    first, second = TopicPartition("t", 0), TopicPartition("t", 1)
    batch = {first: list(range(100)), second: list(range(100, 200))}
    async with Reading(wanted).of_next(batch):
        await asyncio.sleep(0)
        assert 0 < len(seen) < 100, "it has begun, and gives way"
        del batch[first]
    assert seen == list(range(200))
