"""The relay on real PostgreSQL and Kafka: nothing lost, each key in order, one relay at a time."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import REGISTRY
from sqlalchemy import text

from kit import meters, outbox
from kit.database import Database
from kit.lease import Lease
from kit.outbox import LARGEST_EVENT_BYTES, Announcements
from stack.kafka import Kafka
from stack.ports import free_ports
from stack.postgres import Postgres
from stack.topics import admin_client
from tests.kit import broker, stress
from tests.kit.broker import Offsets
from tests.kit.conftest import SERVICE, TOPIC, company, event, eventually
from tests.kit.relays import LEASE_SECONDS, Running, relay_of, rows_of, say
from tests.kit.stress import doubled, inverted, lost


async def leader(database: Database) -> str | None:
    async with database.reading() as connection:
        query = text("SELECT holder FROM relay WHERE expires_at > now()")
        found: str | None = (await connection.execute(query)).scalar()
        return found


@pytest.fixture
async def another(postgres: Postgres) -> AsyncIterator[Database]:
    """The same database as another process has it: what is committed there is not at hand here."""
    found = Database(postgres.dsn(SERVICE), pool_size=2, name="another")
    yield found
    await found.close()


@pytest.fixture
async def ends(kafka: Kafka) -> Offsets:
    return await broker.ends_of(kafka.bootstrap, [TOPIC])


async def test_under_stress_nothing_is_lost_and_keys_keep_their_order(
    database: Database, kafka: Kafka, ends: Offsets
) -> None:
    """Both common recipes read the same outbox at the same time: were they right, this stress would prove nothing."""
    stop = asyncio.Event()
    polling, by_transaction = stress.polling_ids(), stress.ordering_by_transaction()
    controls = [asyncio.create_task(control.run(database, stop)) for control in (polling, by_transaction)]
    relay = Running(relay_of(database, kafka.bootstrap))
    writing = asyncio.create_task(stress.write_all(database))
    for end in (Running.stop, Running.crash):
        await asyncio.sleep(0.5)
        await end(relay)
        relay = Running(relay_of(database, kafka.bootstrap, holder=end.__name__))
    await writing
    stop.set()
    await asyncio.gather(*controls)

    truth = await stress.committed(database)
    records = await broker.read_from(kafka.bootstrap, ends, until=len(truth))
    await relay.stop()
    published = rows_of(records)
    assert (lost(published, truth), inverted(published)) == (0, 0)
    assert set(published) == set(truth), "an aborted transaction's event was published"
    assert lost(polling.seen, truth) > 0, "the control `id > cursor` lost nothing: the stress is too weak"
    assert lost(by_transaction.seen, truth) == 0
    assert inverted(by_transaction.seen) > 0, "the control `(xid, id)` kept the order: the stress is too weak"


async def test_two_relays_publish_each_event_once(database: Database, kafka: Kafka, ends: Offsets) -> None:
    relays = [Running(relay_of(database, kafka.bootstrap, holder)) for holder in ("one", "two")]
    key = company()
    for _ in range(20):
        await say(database, key, 5)
    truth = await stress.committed(database)
    published = rows_of(await broker.read_from(kafka.bootstrap, ends, until=len(truth)))
    assert published == truth
    assert doubled(published) == 0
    assert [running.relay.trouble for running in relays] == [None, None], "to wait for the lease is no trouble"
    await asyncio.gather(*[running.stop() for running in relays])


async def test_when_the_leader_stops_the_other_goes_on(database: Database, kafka: Kafka, ends: Offsets) -> None:
    one, two = (relay_of(database, kafka.bootstrap, holder) for holder in ("one", "two"))
    leading = Running(one)
    await eventually(lambda: _leads(database, "one"))
    waiting = Running(two)
    await leading.stop()
    await say(database, company(), 3)
    assert len(await broker.read_from(kafka.bootstrap, ends, until=3)) == 3
    assert await leader(database) == "two"
    await waiting.stop()


async def _leads(database: Database, holder: str) -> bool:
    return await leader(database) == holder


async def test_a_dead_leaders_lease_runs_out(database: Database, kafka: Kafka, ends: Offsets) -> None:
    dying = Running(relay_of(database, kafka.bootstrap, "one"))
    await eventually(lambda: _leads(database, "one"))
    await dying.crash()
    waiting = Running(relay_of(database, kafka.bootstrap, "two"))
    await say(database, company(), 3)
    assert len(await broker.read_from(kafka.bootstrap, ends, until=3)) == 3
    await waiting.stop()


async def test_a_relay_that_lost_its_lease_stops_publishing(database: Database, kafka: Kafka, ends: Offsets) -> None:
    running = Running(relay_of(database, kafka.bootstrap))
    await eventually(lambda: _leads(database, "one"))
    async with database.transaction() as connection:
        taken = "UPDATE relay SET holder = 'other', token = token + 1, expires_at = now() + interval '1 second'"
        await connection.execute(text(taken))
    await eventually(lambda: "another relay" in (running.relay.trouble or ""))
    await say(database, company(), 2)
    assert len(await broker.read_from(kafka.bootstrap, ends, until=2)) == 2, "it waits for the lease, then goes on"
    await running.stop()


async def test_a_long_transaction_delays_events_of_other_processes_but_keeps_the_lease(
    database: Database, another: Database, kafka: Kafka, ends: Offsets
) -> None:
    running = Running(relay_of(database, kafka.bootstrap))
    await eventually(lambda: _leads(database, "one"))
    async with database.transaction() as open_connection:
        await open_connection.execute(text("SELECT pg_current_xact_id()"))
        await say(another, company(), 2)
        await asyncio.sleep(3 * LEASE_SECONDS)
        assert await leader(database) == "one"
        assert await broker.ends_of(kafka.bootstrap, [TOPIC]) == ends
        assert REGISTRY.get_sample_value("drawdown_outbox_pending_events") == 2
        assert (REGISTRY.get_sample_value("drawdown_outbox_oldest_seconds") or 0) > LEASE_SECONDS
    assert len(await broker.read_from(kafka.bootstrap, ends, until=2)) == 2
    await running.stop()


async def test_a_broker_that_hangs_is_no_reason_to_hand_over(database: Database, kafka: Kafka, ends: Offsets) -> None:
    """The next relay would hang on the same broker; two that take turns send the same page for ever."""
    relays = [Running(relay_of(database, kafka.bootstrap, "one"))]
    await eventually(lambda: _leads(database, "one"))
    relays.append(Running(relay_of(database, kafka.bootstrap, "two")))
    broker_process = kafka.nodes[0].identity
    assert broker_process is not None
    broker_process.send(signal.SIGSTOP)
    try:
        await say(database, company(), 3)
        await asyncio.sleep(4 * LEASE_SECONDS)
        assert await leader(database) == "one"
    finally:
        broker_process.send(signal.SIGCONT)
    assert len(await broker.read_from(kafka.bootstrap, ends, until=3)) == 3
    await asyncio.gather(*[running.stop() for running in relays])


async def test_headers_and_data_are_what_was_announced(database: Database, kafka: Kafka, ends: Offsets) -> None:
    said, key = Announcements(), company()
    said.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    said.say(event(key, "测试"))
    async with database.transaction() as connection:
        await outbox.add(connection, said)
    running = Running(relay_of(database, kafka.bootstrap))
    [record] = await broker.read_from(kafka.bootstrap, ends, until=1)
    await running.stop()
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_type"] == "drawdown.recovery.demanded.v1"
    assert headers["ce_source"] == "/test"
    assert headers["ce_time"] == "2026-03-15T08:00:00.000000Z"
    assert headers["traceparent"] == said.traceparent
    assert (record.key.decode(), "测试" in record.value.decode()) == (key, True)


async def test_the_largest_event_that_the_outbox_takes_is_published(
    database: Database, kafka: Kafka, ends: Offsets
) -> None:
    said = Announcements()
    said.say(event(company(), "x" * (LARGEST_EVENT_BYTES - 1_000)))
    said.say(event(company(), "and one after it"))
    async with database.transaction() as connection:
        await outbox.add(connection, said)
    running = Running(relay_of(database, kafka.bootstrap))
    assert len(await broker.read_from(kafka.bootstrap, ends, until=2)) == 2
    await running.stop()


@asynccontextmanager
async def refusing_above(bootstrap: str, limit_bytes: int) -> AsyncIterator[None]:
    """Have the broker refuse larger records of the topic for a while."""

    async def limit(admin: Any, size: int) -> None:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"max.message.bytes": str(size)})])

    async with admin_client(bootstrap) as admin:
        await limit(admin, limit_bytes)
        try:
            yield
        finally:
            await limit(admin, 1024 * 1024 + 12)


async def test_a_producer_that_the_broker_refused_is_replaced(database: Database, kafka: Kafka, ends: Offsets) -> None:
    """aiokafka's idempotent producer is broken for good by one refused record: it is out of sequence for ever."""
    key, said = company(), Announcements()
    running = Running(relay_of(database, kafka.bootstrap))
    await say(database, key, 2)
    await broker.read_from(kafka.bootstrap, ends, until=2)
    async with refusing_above(kafka.bootstrap, 5_000):
        said.say(event(key, "x" * 50_000))
        async with database.transaction() as connection:
            await outbox.add(connection, said)
        await eventually(lambda: "the relay waits" in (running.relay.trouble or ""))
        await say(database, key, 3)
    truth = await stress.committed(database)
    published = rows_of(await broker.read_from(kafka.bootstrap, ends, until=len(truth)))
    await running.stop()
    assert list(dict.fromkeys(published)) == truth, "what was refused is published, in its place"


async def test_without_kafka_it_says_so_and_stops_when_told(database: Database) -> None:
    [nobody_listens] = free_ports(1)
    running = Running(relay_of(database, f"127.0.0.1:{nobody_listens}"))
    await eventually(lambda: "the relay waits" in (running.relay.trouble or ""))
    await running.stop()


async def test_without_kafka_what_waits_grows_old_to_be_seen(database: Database) -> None:
    [nobody_listens] = free_ports(1)
    await say(database, company(), 3)
    async with database.reading() as connection:
        query = text("SELECT extract(epoch FROM min(created_at)) FROM outbox")
        created = float((await connection.execute(query)).scalar_one())
    running = Running(relay_of(database, f"127.0.0.1:{nobody_listens}"))
    for seconds in (0.5, 1.0):
        await eventually(lambda: (REGISTRY.get_sample_value("drawdown_outbox_oldest_seconds") or 0) > seconds)  # noqa: B023
        assert time.time() - created > seconds
    assert REGISTRY.get_sample_value("drawdown_outbox_pending_events") == 3
    await running.stop()


async def test_who_waits_for_the_lease_shows_no_age_of_its_own(database: Database, kafka: Kafka) -> None:
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        assert await Lease.acquire(connection, "another process", 60)
        meters.OUTBOX_OLDEST.set(99)  # as it was when this process last had the lease
        following = Running(relay_of(database, kafka.bootstrap))
        await eventually(lambda: REGISTRY.get_sample_value("drawdown_outbox_oldest_seconds") == 0)
        await following.stop()
