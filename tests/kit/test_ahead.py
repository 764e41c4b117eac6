"""Fetching ahead, on real Kafka and PostgreSQL: what follows is taken only from where what was handled ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.events import ApplicationRejected, RecoveryDemanded
from contracts.topics import TOPIC_OF, TOPICS, event_type
from kit import offsets
from kit.ahead import Ahead, Batch, Positions, reached
from kit.batch import Batches
from kit.database import Database
from kit.errors import FencedError
from kit.kafka import partition_of
from kit.pace import Pace
from stack.kafka import Kafka
from tests.kit.broker import record_of, send
from tests.kit.conftest import TOPIC, company, eventually
from tests.kit.echo import Echo, consumer_of, effects, has, numbered, per_key, running


def place_of(key: str, topic: str = TOPIC) -> TopicPartition:
    return TopicPartition(topic, partition_of(key.encode(), TOPICS[topic].partitions))


@pytest.fixture
async def client(kafka: Kafka) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    yield consumer
    await consumer.stop()


async def _at_the_end(client: AIOKafkaConsumer, kafka: Kafka, count: int) -> tuple[TopicPartition, int]:
    """Have the client stand before ``count`` new records of one partition, and fetch them; return place and offset."""
    key = company()
    place = place_of(key)
    client.assign([place])
    begin = (await client.end_offsets([place]))[place]
    client.seek(place, begin)
    await send(kafka.bootstrap, [record_of(each) for each in numbered([key], count)])
    return place, begin


async def test_what_comes_while_the_pace_is_kept_goes_with_the_batch_and_nothing_is_passed_over(
    client: AIOKafkaConsumer, kafka: Kafka
) -> None:
    key = company()
    place = place_of(key)
    client.assign([place])
    begin = (await client.end_offsets([place]))[place]
    client.seek(place, begin)
    ahead, positions = Ahead(10, Pace(0.1)), {place: begin}
    sizes: list[int] = []
    seen: list[int] = []
    for count in (1, 4, 4, 16):
        await send(kafka.bootstrap, [record_of(each) for each in numbered([key], count)])
        batch = await ahead.next(client, positions)
        sizes.append(sum(map(len, batch.values())))
        seen += [record.offset for records in batch.values() for record in records]
        positions |= reached(batch)
        await ahead.fetch(client, batch, positions)
    while len(seen) < 25:
        batch = await ahead.next(client, positions)
        seen += [record.offset for records in batch.values() for record in records]
        positions |= reached(batch)
    assert seen == list(range(begin, begin + 25))
    assert max(sizes) <= 10


async def test_the_batch_that_follows_goes_on_where_the_one_before_it_ends(
    client: AIOKafkaConsumer, kafka: Kafka
) -> None:
    place, begin = await _at_the_end(client, kafka, 25)
    ahead, positions = Ahead(10), {place: begin}
    seen: list[int] = []
    following = False
    while len(seen) < 25:
        batch = await ahead.next(client, positions)
        following |= bool(await ahead.fetch(client, batch, positions))
        seen += [record.offset for records in batch.values() for record in records]
        positions |= reached(batch)
    assert seen == list(range(begin, begin + 25))
    assert following, "nothing was fetched ahead: nothing was tested"


async def test_what_follows_a_batch_that_was_not_handled_is_fetched_again(
    client: AIOKafkaConsumer, kafka: Kafka
) -> None:
    place, begin = await _at_the_end(client, kafka, 25)
    ahead, positions = Ahead(10), {place: begin}
    batch: dict[TopicPartition, list[object]] = {}
    while not await ahead.fetch(client, batch, positions):
        client.seek(place, begin)
        batch = await ahead.next(client, positions)
    again = await ahead.next(client, positions)  # the positions have not moved: the database was away, say
    while not again:
        again = await ahead.next(client, positions)
    assert again[place][0].offset == begin


async def test_a_partition_that_was_claimed_anew_gets_nothing_of_what_was_fetched_before(
    client: AIOKafkaConsumer, kafka: Kafka
) -> None:
    place, begin = await _at_the_end(client, kafka, 25)
    ahead, positions = Ahead(10), {place: begin}
    batch: dict[TopicPartition, list[object]] = {}
    while not await ahead.fetch(client, batch, positions):
        client.seek(place, begin)
        batch = await ahead.next(client, positions)
    ahead.drop([place])
    client.seek(place, begin + 20)
    claimed = {place: begin + 20}
    while not (found := await ahead.next(client, claimed)):
        pass
    assert found[place][0].offset == begin + 20


async def test_the_database_refuses_a_batch_that_does_not_begin_where_it_stands(
    database: Database, kafka: Kafka, group: str, client: AIOKafkaConsumer
) -> None:
    """The last wall, should whoever fetches be wrong: nothing is handled, nothing is passed over."""
    place, _ = await _at_the_end(client, kafka, 5)
    while not (batch := await client.getmany(timeout_ms=200)):
        pass
    echo = Echo()
    batches = Batches(database, group, frozenset({event_type(RecoveryDemanded)}), echo.handle, f"{group}.dead-letters")
    async with database.transaction() as connection:
        claimed = await offsets.claim(connection, group, [place])
    next_offset, epoch = claimed[place]
    with pytest.raises(FencedError, match=f"goes on at {next_offset}, not at"):
        await batches.transact(batch, {place: epoch}, {place: next_offset + 1})
    assert (echo.tries, await effects(database)) == (0, [])
    await batches.transact(batch, {place: epoch}, {place: next_offset})
    assert len(await effects(database)) == 5


async def test_nothing_is_passed_over_while_a_partition_stands_still_with_its_next_batch_fetched(
    database: Database, kafka: Kafka, group: str
) -> None:
    """Five batches of fifty: the second one has to wait several times, when the third is there already."""
    echo, key = Echo(), company()
    echo.busy = {"60"}
    await send(kafka.bootstrap, [record_of(each) for each in numbered([key], 250)])
    async with running(consumer_of(database, kafka.bootstrap, group, echo)) as consumer:
        await eventually(has(database, 50))
        for reason in ("61", "120", "200"):
            await eventually(_tried(echo, 3))
            echo.busy = {reason}
        await eventually(lambda: "blocked" in (consumer.trouble or ""))
        echo.busy = set()
        await eventually(has(database, 250))
    assert per_key(await effects(database)) == {key: list(range(250))}


def _tried(echo: Echo, times: int) -> Callable[[], bool]:
    wanted = echo.tries + times
    return lambda: echo.tries >= wanted


async def test_what_nobody_waits_for_goes_with_what_an_applicant_waits_for(
    client: AIOKafkaConsumer, kafka: Kafka
) -> None:
    key = company()
    places = [place_of(key), place_of(key, TOPIC_OF[ApplicationRejected].name)]
    client.assign(places)
    positions = dict(await client.end_offsets(places))
    for place in places:
        client.seek(place, positions[place])
    ahead = Ahead(10, Pace(0.0, patience=3_600.0))
    await send(kafka.bootstrap, [record_of(each) for each in numbered([key], 1)])
    positions |= reached(await _some(ahead, client, positions))
    await send(kafka.bootstrap, [record_of(each) for each in numbered([key], 2)])
    waiting = asyncio.create_task(_some(ahead, client, positions))
    await asyncio.wait({waiting}, timeout=0.5)
    assert not waiting.done()
    await send(kafka.bootstrap, [record_of(_rejected(key))])
    async with asyncio.timeout(20):
        batch = await waiting
    assert [len(batch[place]) for place in places] == [2, 1]


async def _some(ahead: Ahead, client: AIOKafkaConsumer, positions: Positions) -> Batch:
    while not (batch := await ahead.next(client, positions)):
        pass
    return batch


def _rejected(applicant: str) -> ApplicationRejected:
    now = datetime.now(UTC)
    return ApplicationRejected(
        occurred_at=now,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant=applicant,
        district="nanshan",
        policy_version="1",
        provisional=False,
        reasons=(),
        submitted_at=now,
    )
