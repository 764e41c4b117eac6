"""Parking and redrive on real Kafka and PostgreSQL: what can't be handled waits with its key; the others go on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from kit.database import Database
from kit.kafka import Record
from kit.redrive import Redrive
from stack.kafka import Kafka
from tests.kit.broker import record_of, send
from tests.kit.conftest import TOPIC, company, event, eventually
from tests.kit.echo import Echo, consumer_of, effects, keys_apart, per_key, running

WHO: Any = {"who": "test", "why": "to see it"}


def broken(record: Record, **changes: Any) -> Record:
    """Return a record with its key, value or one header changed; a header set to None is taken out."""
    headers = [(name, value) for name, value in record.headers if name not in changes]
    headers += [(name, value) for name, value in changes.items() if name.startswith("ce_") and value is not None]
    return Record(
        record.topic, changes.get("key", record.key), changes.get("value", record.value), headers, record.timestamp_ms
    )


def records(key: str, count: int, first: int = 0) -> list[Record]:
    return [record_of(event(key, str(number))) for number in range(first, first + count)]


async def letters(database: Database) -> list[dict[str, str]]:
    """Return the headers of the dead letters, in order."""
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT headers FROM outbox WHERE headers IS NOT NULL ORDER BY id"))
        return [dict(row.headers) for row in rows]


async def handled(database: Database, key: str) -> list[int]:
    return per_key([found for found in await effects(database) if found[1]]).get(key, [])


def told(database: Database, keys: Sequence[str], each: int) -> Any:
    async def check() -> bool:
        return all([len(await handled(database, key)) == each for key in keys])

    return check


POISON: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": ({"value": b'{"half": '}, "can't be read"),
    "no value": ({"value": None}, "can't be read"),
    "a missing header": ({"ce_type": None}, "the header ce_type is missing"),
    "an id that is none": ({"ce_id": b"seven"}, "can't be read"),
    "an unknown type": ({"ce_type": b"drawdown.recovery.forgotten.v1"}, "unknown event type"),
    "an unknown major version": ({"ce_type": b"drawdown.recovery.demanded.v2"}, "unknown event type"),
    "a wrong type": ({"value": b'{"occurred_at": 5}'}, "can't be read"),
}


@pytest.mark.parametrize("what", POISON)
async def test_a_poison_event_waits_with_its_key_and_the_others_go_on(
    database: Database, kafka: Kafka, group: str, what: str
) -> None:
    changes, reason = POISON[what]
    echo, (sick, *healthy) = Echo(), keys_apart(3)
    poison = broken(records(sick, 1, first=1)[0], **changes)
    sent = [*records(sick, 1), poison, *records(sick, 2, first=2), *[r for key in healthy for r in records(key, 9)]]
    redrive = Redrive(database, group=group, handle=echo.handle)
    async with running(consumer_of(database, kafka.bootstrap, group, echo)) as consumer:
        await send(kafka.bootstrap, sent)
        await eventually(told(database, healthy, 9))
        await eventually(told(database, [sick], 1))
        await eventually(lambda: _parked(redrive, sick, 3))
        assert consumer.trouble is None
        [first, *behind] = await redrive.show(TOPIC, sick)
        assert (first.family, [row.family for row in behind]) == ("invalid", ["behind", "behind"])
        assert reason in first.reason
        assert first.value == poison.value
        [letter] = await letters(database)
        assert (letter["dl_topic"], letter["dl_offset"], letter["dl_family"]) == (TOPIC, str(first.offset), "invalid")

        assert (await redrive.one((TOPIC, sick), **WHO)).handled == 0, "it is as broken as before"
        await redrive.discard(first.id, **WHO)
        assert (await redrive.one((TOPIC, sick), **WHO)).handled == 2
        await send(kafka.bootstrap, records(sick, 1, first=4))
        await eventually(told(database, [sick], 4))
    assert await handled(database, sick) == [0, 2, 3, 4]


async def test_a_wrong_key_is_parked_and_nobody_waits_for_it(database: Database, kafka: Kafka, group: str) -> None:
    one, other = keys_apart(2)
    wrong = broken(records(one, 1)[0], key=other.encode())
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, [wrong, *records(other, 3), *records(one, 3, first=1)])
        await eventually(told(database, [one, other], 3))
    [row] = await Redrive(database, group=group, handle=Echo().handle).show(TOPIC, other)
    assert row.error_class == "WrongKeyError"
    assert f"its applicant is '{one}'" in row.reason


async def test_a_refused_event_is_parked_at_once_and_redriven_in_order_when_mended(
    database: Database, kafka: Kafka, group: str
) -> None:
    echo, (sick, healthy) = Echo(), keys_apart(2)
    echo.refused = {"5"}
    redrive = Redrive(database, group=group, handle=echo.handle)
    with capture_logs() as logs:
        async with running(consumer_of(database, kafka.bootstrap, group, echo)):
            await send(kafka.bootstrap, [*records(sick, 20), *records(healthy, 20, first=100)])
            await eventually(told(database, [healthy], 20))
            await eventually(lambda: _parked(redrive, sick, 15))
            assert await handled(database, sick) == [0, 1, 2, 3, 4]
            dry = await redrive.one((TOPIC, sick), **WHO, dry_run=True)
            assert (dry.handled, dry.stopped_by) == (0, "5 may never be")
            echo.refused = set()
            dry = await redrive.one((TOPIC, sick), **WHO, dry_run=True)
            assert (dry.handled, dry.stopped_by, await handled(database, sick)) == (15, None, [0, 1, 2, 3, 4])
            [done] = await redrive.all(**WHO)
            assert (done.handled, done.left) == (15, 0)
            await send(kafka.bootstrap, records(sick, 2, first=20))
            await eventually(told(database, [sick], 22))
    assert await handled(database, sick) == list(range(22))
    assert [entry["reason"] for entry in logs if entry["event"] == "event_parked"] == ["5 may never be"]
    async with database.reading() as connection:
        audit = (
            await connection.execute(text("SELECT who, why, action, handled FROM redrive_audit ORDER BY id"))
        ).all()
    assert audit == [("test", "to see it", "redrive", 15)]


async def test_an_error_of_no_family_is_tried_again_before_it_parks(
    database: Database, kafka: Kafka, group: str
) -> None:
    echo, key = Echo(), company()
    echo.poison = {"1"}
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await send(kafka.bootstrap, records(key, 3))
        redrive = Redrive(database, group=group, handle=echo.handle)
        await eventually(lambda: _parked(redrive, key, 2))
        [first, behind] = await redrive.show(TOPIC, key)
    assert (first.family, first.attempts, first.error_class) == ("failed", 3, "ValueError")
    assert behind.family == "behind"


async def _parked(redrive: Redrive, key: str, count: int) -> bool:
    return len(await redrive.show(TOPIC, key)) == count


async def test_what_waits_for_another_topic_goes_on_by_itself(database: Database, kafka: Kafka, group: str) -> None:
    echo, key = Echo(), company()
    echo.early = {"1"}
    redrive = Redrive(database, group=group, handle=echo.handle)
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await send(kafka.bootstrap, records(key, 4))
        await eventually(lambda: _parked(redrive, key, 3))
        await eventually(lambda: _due(redrive))
        assert await handled(database, key) == [0]
        echo.early = set()
        await eventually(lambda: _due(redrive))
        await eventually(told(database, [key], 4))
    assert await handled(database, key) == [0, 1, 2, 3]
    assert await letters(database) == [], "what only waits is no dead letter"


async def _due(redrive: Redrive) -> bool:
    return await redrive.due() > 0


async def test_an_event_sent_twice_around_a_parked_one_has_its_effect_once(
    database: Database, kafka: Kafka, group: str
) -> None:
    echo, key = Echo(), company()
    echo.refused = {"0"}
    [first] = records(key, 1)
    redrive = Redrive(database, group=group, handle=echo.handle)
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await send(kafka.bootstrap, [first, first])
        await eventually(lambda: _parked(redrive, key, 2))
        echo.refused = set()
        assert (await redrive.one((TOPIC, key), **WHO)).handled == 2
    assert await handled(database, key) == [0]


async def test_a_large_event_is_kept_whole_and_its_dead_letter_cut(
    database: Database, kafka: Kafka, group: str
) -> None:
    key = company()
    large = broken(records(key, 1)[0], value=b"[" + b" " * 700_000)
    async with running(consumer_of(database, kafka.bootstrap, group, Echo())):
        await send(kafka.bootstrap, [large])
        redrive = Redrive(database, group=group, handle=Echo().handle)
        await eventually(lambda: _parked(redrive, key, 1))
        [row] = await redrive.show(TOPIC, key)
    assert row.value == large.value
    [letter] = await letters(database)
    assert letter["dl_truncated"] == f"{512 * 1024} of 700001 bytes"


async def test_who_is_told_to_stop_begins_no_further_part_of_a_batch(
    database: Database, kafka: Kafka, group: str
) -> None:
    """Each of these keys takes a dozen transactions to find; a process that stops leaves them to the next one."""
    keys = [company() for _ in range(40)]
    echo = Echo()
    echo.refused = {"0"}
    parked = text("SELECT count(*) FROM parked")

    async def count() -> int:
        async with database.reading() as connection:
            return int((await connection.execute(parked)).scalar_one())

    async def some() -> bool:
        return await count() > 0

    await send(kafka.bootstrap, [record for key in keys for record in records(key, 1)])
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await eventually(some)
    assert await count() < len(keys)
    async with running(consumer_of(database, kafka.bootstrap, group, echo)):
        await eventually(lambda: _all_parked(count, len(keys)))


async def _all_parked(count: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await count() == wanted
