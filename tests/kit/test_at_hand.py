"""What a process has just committed is published as it is at hand: only that, all of it, in its order."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit import at_hand, outbox
from kit.database import Database, is_away
from stack.kafka import Kafka
from tests.kit import broker, stress
from tests.kit.broker import Offsets
from tests.kit.conftest import TOPIC, company, eventually
from tests.kit.relays import Running, relay_of, rows_of, say, saying


class _UndoneError(Exception):
    pass


@pytest.fixture
async def ends(kafka: Kafka) -> Offsets:
    return await broker.ends_of(kafka.bootstrap, [TOPIC])


async def test_a_transaction_that_drew_no_id_delays_nothing_of_its_own_process(
    database: Database, kafka: Kafka, ends: Offsets
) -> None:
    running = Running(relay_of(database, kafka.bootstrap))
    await eventually(lambda: running.relay.trouble is None)
    async with database.transaction() as open_connection:
        await open_connection.execute(text("SELECT pg_current_xact_id()"))
        await say(database, company(), 2)
        assert len(await broker.read_from(kafka.bootstrap, ends, until=2)) == 2
    await running.stop()


async def test_one_that_drew_an_id_does_and_what_was_undone_is_passed_over(
    database: Database, kafka: Kafka, ends: Offsets
) -> None:
    running = Running(relay_of(database, kafka.bootstrap))
    await eventually(lambda: running.relay.trouble is None)
    with suppress(_UndoneError):
        async with database.transaction() as connection:
            await outbox.add(connection, saying(company(), 1))
            await say(database, company(), 2)
            await asyncio.sleep(0.3)
            assert await broker.ends_of(kafka.bootstrap, [TOPIC]) == ends
            raise _UndoneError
    truth = await stress.committed(database)
    assert rows_of(await broker.read_from(kafka.bootstrap, ends, until=2)) == truth
    assert len(truth) == 2
    await running.stop()


async def test_what_a_savepoint_has_undone_is_never_published(database: Database, kafka: Kafka, ends: Offsets) -> None:
    running = Running(relay_of(database, kafka.bootstrap, poll_seconds=0.4))  # it looks between, not in the middle
    await eventually(lambda: running.relay.trouble is None)
    await say(database, company(), 1)
    await broker.read_from(kafka.bootstrap, ends, until=1)
    running.relay.wake()
    async with database.transaction() as connection:
        with suppress(_UndoneError):
            async with connection.begin_nested():
                await outbox.add(connection, saying(company(), 1))
                raise _UndoneError
    running.relay.wake()
    await say(database, company(), 2)
    truth = await stress.committed(database)
    assert sorted(rows_of(await broker.read_from(kafka.bootstrap, ends, until=len(truth)))) == truth
    await running.stop()


async def test_what_is_too_much_to_keep_is_read(
    database: Database, kafka: Kafka, ends: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes while the relay waits to publish the first of it."""
    monkeypatch.setattr(at_hand, "_MOST_ROWS", 10)
    running = Running(relay_of(database, kafka.bootstrap, poll_seconds=0.4, pace_seconds=1.0))
    await eventually(lambda: running.relay.trouble is None)
    await say(database, company(), 1)
    running.relay.wake()
    await broker.read_from(kafka.bootstrap, ends, until=1)
    for _ in range(5):
        await say(database, company(), 4)
        running.relay.wake()
    truth = await stress.committed(database)
    assert len(truth) == 21
    published = rows_of(await broker.read_from(kafka.bootstrap, ends, until=len(truth)))
    assert (stress.lost(published, truth), stress.doubled(published), stress.inverted(published)) == (0, 0, 0)
    await running.stop()


async def test_what_a_relay_has_sent_before_it_stops_it_does_not_send_again(
    database: Database, kafka: Kafka, ends: Offsets
) -> None:
    for number in range(3):
        running = Running(relay_of(database, kafka.bootstrap))
        await eventually(lambda: running.relay.trouble is None)  # noqa: B023
        await say(database, company(), 3)
        await broker.read_from(kafka.bootstrap, ends, until=3 * (number + 1))
        await running.stop()
    async with database.reading() as connection:
        cursor = (await connection.execute(text("SELECT cursor FROM relay"))).scalar_one()
    truth = await stress.committed(database)
    assert cursor == truth[-1][0]
    assert stress.doubled(rows_of(await broker.read_from(kafka.bootstrap, ends, until=len(truth)))) == 0


async def test_what_a_lost_connection_has_added_is_not_at_hand_and_its_loss_is_told_as_ever(database: Database) -> None:
    with database.at_hand.wanted():
        with pytest.raises(DBAPIError) as told:
            await _lose_the_connection(database)
        assert is_away(told.value)
        assert database.at_hand.last == 0
        await say(database, company(), 1)
        assert database.at_hand.follows(database.at_hand.last - 1)


async def _lose_the_connection(database: Database) -> None:
    async with database.transaction() as connection:
        await outbox.add(connection, saying(company(), 1))
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
