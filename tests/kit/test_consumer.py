"""The consumer on real Kafka and PostgreSQL: each event has its effect once, in order, whatever happens in between."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import REGISTRY
from sqlalchemy import text
from structlog.testing import capture_logs

from contracts.events import PaymentCancelled
from contracts.money import Money
from contracts.topics import TOPICS
from kit import offsets
from kit.database import Database
from kit.errors import FencedError
from kit.identifiers import uuid7
from kit.kafka import partition_of
from kit.lag import Lags
from kit.outbox import Announcements
from stack.kafka import Kafka
from stack.ports import free_ports
from stack.topics import admin_client, create_topics
from tests.kit import broker
from tests.kit.broker import record_of, send
from tests.kit.conftest import NOW, TOPIC, company, event, eventually
from tests.kit.echo import Echo, consumer_of, effects, has, keys_apart, numbered, per_key, running


class SimulatedCrashError(BaseException):
    """What no loop catches: the process is gone after a commit, before Kafka hears of it."""


async def test_every_event_has_its_effect_once_and_in_order(database: Database, kafka: Kafka, group: str) -> None:
    keys = keys_apart(4)
    await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 100)])
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())) as consumer:
        await eventually(has(database, 400))
        assert consumer.trouble is None
    assert per_key(await effects(database)) == {key: list(range(100)) for key in keys}


async def test_a_crash_between_commit_and_kafka_doubles_nothing(database: Database, kafka: Kafka, group: str) -> None:
    keys = keys_apart(3)
    await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 60)])
    crashes = 0

    def crash(_said: Announcements) -> None:
        nonlocal crashes
        crashes += 1
        raise SimulatedCrashError

    while len(await effects(database)) < 180:
        with pytest.raises(SimulatedCrashError):
            await consumer_of(database, kafka.bootstrap, group, Echo(), crash).run(asyncio.Event())
    assert crashes >= 4, "50 events at most in a batch"
    assert per_key(await effects(database)) == {key: list(range(60)) for key in keys}


async def test_what_kafka_remembers_does_not_count(database: Database, kafka: Kafka, group: str) -> None:
    """Somebody resets the group with Kafka's own tool: nothing is done again, because nobody reads that offset."""
    key = company()
    starts = await broker.ends_of(kafka.bootstrap, [TOPIC])
    await send(kafka.bootstrap, [record_of(each) for each in numbered([key], 10)])
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await eventually(has(database, 10))
    tool = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await tool.start()
    tool.assign(list(starts))
    await tool.commit(starts)
    await tool.stop()
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, [record_of(each) for each in numbered([key], 1, first=10)])
        await eventually(has(database, 11))
    assert per_key(await effects(database)) == {key: list(range(11))}


async def test_an_event_that_is_sent_again_is_dropped(database: Database, kafka: Kafka, group: str) -> None:
    key = company()
    sent = [(event(key, str(number)), uuid7()) for number in range(5)]
    twice = [record_of(*pair) for pair in [*sent, *sent]]
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, twice)
        await eventually(has(database, 5))
        await send(kafka.bootstrap, [*twice, record_of(event(key, "5"))])
        await eventually(has(database, 6))
    assert await effects(database) == [(key, str(number)) for number in range(6)]


async def test_a_zombie_is_fenced_and_claims_anew(database: Database, kafka: Kafka, group: str) -> None:
    key = company()
    place = TopicPartition(TOPIC, partition_of(key.encode(), TOPICS[TOPIC].partitions))
    with capture_logs() as logs:
        async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
            await send(kafka.bootstrap, [record_of(event(key, "0"))])
            await eventually(has(database, 1))
            async with database.transaction() as connection:
                claimed = await offsets.claim(connection, group, [place])
            await send(kafka.bootstrap, [record_of(event(key, "1"))])
            await eventually(has(database, 2))
    assert [entry["error_class"] for entry in logs if entry["event"] == "consumer_waits"] == ["FencedError"]
    assert await effects(database) == [(key, "0"), (key, "1")]
    async with database.transaction() as connection:
        with pytest.raises(FencedError, match="belongs to epoch"):
            await offsets.fence(connection, group, {place: claimed[place][1]})


async def test_partitions_may_be_taken_away_while_it_looks_round(database: Database, kafka: Kafka, group: str) -> None:
    """A rebalance forgets the epochs at any moment, also while the database is asked about them."""
    places = [TopicPartition(TOPIC, number) for number in range(TOPICS[TOPIC].partitions)]
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())) as consumer:
        await send(kafka.bootstrap, [record_of(event(company(), "0"))])
        await eventually(has(database, 1))
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM consumer_offset FOR UPDATE"))
            await eventually(lambda: _looks_round(database))
            await consumer.on_partitions_revoked(places)
        await send(kafka.bootstrap, [record_of(event(company(), "1"))])
        await eventually(has(database, 2))
    assert [reason for _, reason in await effects(database)] == ["0", "1"], "each once"


async def _looks_round(database: Database) -> bool:
    """Whether somebody waits for rows of which only the epochs are asked."""
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%next_offset, epoch, now()%'
    """
    async with database.reading() as connection:
        return bool((await connection.execute(text(waiting))).scalar_one())


async def test_what_passes_by_itself_blocks_its_partition_alone_until_it_has_passed(
    database: Database, kafka: Kafka, group: str
) -> None:
    echo, (sick, *healthy) = Echo(), keys_apart(3)
    echo.busy = {"1"}
    held_up = [record_of(event(sick, str(number))) for number in range(4)]
    others = [record_of(event(key, str(number))) for number in range(10, 30) for key in healthy]
    with capture_logs() as logs:
        async with running(consumer_of(database, kafka.bootstrap, group, echo)) as consumer:
            await send(kafka.bootstrap, [*held_up, *others])
            await eventually(has(database, 40))
            await eventually(lambda: "blocked" in (consumer.trouble or ""))
            blocked = per_key(await effects(database))
            assert {key: blocked.get(key) for key in healthy} == {key: list(range(10, 30)) for key in healthy}
            assert blocked.get(sick, []) in ([], [0]), "nothing overtakes the event that can't be handled"
            echo.busy = set()
            await eventually(has(database, 44))
            await eventually(lambda: consumer.trouble is None)
    assert per_key(await effects(database))[sick] == [0, 1, 2, 3]
    told = [entry for entry in logs if entry["event"] == "partition_blocked"]
    assert {(entry["log_level"], entry["topic"]) for entry in told} == {("warning", TOPIC)}
    assert "the other side is busy" in {entry["reason"] for entry in told}


async def test_events_that_nobody_asked_for_are_passed_over(database: Database, kafka: Kafka, group: str) -> None:
    """A topic carries more events than a service subscribes to; they cost an offset and nothing else."""
    key = company()
    other = PaymentCancelled(
        occurred_at=NOW,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant=key,
        payment_id=uuid4(),
        award_id=uuid4(),
        claim_id=uuid4(),
        money=Money(1),
        end_to_end_id="x",
        reason="not for us",
    )
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, [record_of(event(key, "0")), record_of(other), record_of(event(key, "1"))])
        await eventually(has(database, 2))
    assert await effects(database) == [(key, "0"), (key, "1")]


async def test_consumers_that_come_and_go_share_the_work(database: Database, kafka: Kafka, group: str) -> None:
    keys = keys_apart(6)
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 30)])
        async with running(consumer_of(database, kafka.bootstrap, group, Echo())) as second:
            await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 30, first=30)])
            await eventually(lambda: second.trouble is None)
            await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 30, first=60)])
            await eventually(has(database, 6 * 90), seconds=40)
        await send(kafka.bootstrap, [record_of(each) for each in numbered(keys, 10, first=90)])
        await eventually(has(database, 600), seconds=40)
    assert per_key(await effects(database)) == {key: list(range(100)) for key in keys}


async def test_without_kafka_it_says_so_and_stops_when_told(database: Database) -> None:
    [nobody_listens] = free_ports(1)
    async with running(consumer_of(database, f"127.0.0.1:{nobody_listens}", "nobody", Echo())) as consumer:
        await eventually(lambda: "the consumer waits" in (consumer.trouble or ""))
    assert await effects(database) == []


async def test_a_topic_that_ends_before_what_was_handled_stands_still_and_says_so(
    database: Database, kafka: Kafka, group: str
) -> None:
    """To begin anew by itself would handle again what the inbox has forgotten; to skip would lose what is new."""
    lost, healthy = keys_apart(2)
    partition = partition_of(lost.encode(), TOPICS[TOPIC].partitions)
    end = (await broker.ends_of(kafka.bootstrap, [TOPIC]))[TopicPartition(TOPIC, partition)]
    await _set_offset(database, group, partition, end + 100)
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())) as consumer:
        await send(kafka.bootstrap, [record_of(each) for each in numbered([lost, healthy], 5)])
        await eventually(has(database, 5))
        await eventually(lambda: (consumer.trouble or "").startswith("blocked"))
        assert set(per_key(await effects(database))) == {healthy}
        assert consumer.blocked() == {TopicPartition(TOPIC, partition): f"the topic ended before {end + 100}"}
        [seen] = [
            lag for lag in await Lags(database, kafka.bootstrap, group=group, topics=[TOPIC]).read() if lag.blocked
        ]
        assert (seen.partition, seen.next_offset, seen.end_offset) == (partition, end + 100, end + 5)
        await _set_offset(database, group, partition, end)
        await eventually(has(database, 10))
    assert per_key(await effects(database))[lost] == [0, 1, 2, 3, 4]


async def test_a_topic_that_is_away_is_shown_as_lost(database: Database, kafka: Kafka) -> None:
    away = "metrics.dead-letters"
    place = TopicPartition(away, 0)
    async with database.transaction() as connection:
        await offsets.claim(connection, "reader", [place])
        await offsets.take(connection, "reader", {place: offsets.Portion(epoch=1, begin=0, next=5)})
    async with admin_client(kafka.bootstrap) as admin:
        await admin.delete_topics([away])

        async def gone() -> bool:
            return away not in await admin.list_topics()

        await eventually(gone)
    try:
        seen, *others = await Lags(database, kafka.bootstrap, group="reader", topics=[away]).read()
    finally:
        await create_topics(kafka.bootstrap, replicas=1)
    assert (seen.end_offset, seen.lag, seen.blocked) == (0, 0, "the topic ends before 5: it was lost, or made anew")
    assert {other.blocked for other in others} == {None}


async def _set_offset(database: Database, group: str, partition: int, offset: int) -> None:
    """Say where to go on, as an operator does; the raised epoch fences whoever reads there."""
    statement = """
        UPDATE consumer_offset SET next_offset = :offset, epoch = epoch + 1
        WHERE consumer_group = :group AND topic = :topic AND partition = :partition
    """
    values = {"offset": offset, "group": group, "topic": TOPIC, "partition": partition}
    async with database.transaction() as connection:
        await connection.execute(text(statement), values)


async def test_the_lag_of_partitions_that_were_given_away_is_not_shown(
    database: Database, kafka: Kafka, group: str
) -> None:
    """A gauge that nobody moves any more would say for ever how late this process was when it lost the partition."""
    names = {"drawdown_consumer_lag_events", "drawdown_consumer_lag_seconds"}

    def shown() -> set[str]:
        return {each.name for family in REGISTRY.collect() for each in family.samples if each.name in names}

    await send(kafka.bootstrap, [record_of(each) for each in numbered(keys_apart(3), 10)])
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await eventually(has(database, 30))
        await eventually(lambda: shown() == names)
    assert shown() == set()
