"""Topics that were lost are filled again from the outbox, and read again, without any second effect."""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import text

from kit import parking, refill
from kit.database import Database
from kit.kafka import Record
from kit.parking import Parked
from stack.kafka import Kafka
from tests.kit import broker
from tests.kit.broker import header_of, record_of
from tests.kit.conftest import TOPIC, company, event
from tests.kit.echo import Echo
from tests.kit.relays import Running, relay_of, say
from tests.kit.test_admin import client_of

WHO = {"who": "li.wei", "why": "the brokers' disks were lost"}


async def test_a_running_relay_publishes_the_outbox_again(database: Database, kafka: Kafka) -> None:
    ends = await broker.ends_of(kafka.bootstrap, [TOPIC])
    running = Running(relay_of(database, kafka.bootstrap))
    key, since = company(), datetime.now(UTC) - timedelta(minutes=1)
    await say(database, key, 3)
    first = await broker.read_from(kafka.bootstrap, ends, until=3)
    again = await broker.ends_of(kafka.bootstrap, [TOPIC])

    assert await refill.resend(database, since, **WHO, dry_run=True) == 3
    assert await refill.resend(database, since, **WHO, dry_run=False) == 3
    second = await broker.read_from(kafka.bootstrap, again, until=3)
    await running.stop()
    assert [header_of(record, "ce_id") for record in second] == [header_of(record, "ce_id") for record in first]
    assert await audit(database) == [("resend", "", 3)]


async def test_nothing_is_sent_again_that_is_older(database: Database, kafka: Kafka) -> None:
    await say(database, company(), 3)
    assert await refill.resend(database, datetime.now(UTC) + timedelta(minutes=1), **WHO, dry_run=False) == 3
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET cursor = (SELECT max(id) FROM outbox)"))
    assert await refill.resend(database, datetime.now(UTC) + timedelta(minutes=1), **WHO, dry_run=False) == 0


async def audit(database: Database) -> list[tuple[str, str, int]]:
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT action, topic, handled FROM redrive_audit ORDER BY id"))
        return [tuple(row) for row in rows]


async def test_a_topic_is_read_again_and_its_old_parked_events_make_room(
    database: Database, kafka: Kafka, group: str
) -> None:
    poison = _Stored(record_of(event(company())), offset=5)
    for _ in range(2):  # the old topic's event at this place, then the new topic's
        async with database.transaction() as connection:
            await parking.park(connection, [Parked(record=poison, family="invalid", reason="test")])
        async with client_of(database, kafka.bootstrap, group, Echo()) as client:
            answer = await client.post("/admin/reread", json={"topic": TOPIC, "dry_run": False, **WHO})
        assert answer.json() == {"dry_run": False, "events": None, "partitions": 12}
    async with database.reading() as connection:
        offsets = (await connection.execute(text('SELECT "offset" FROM parked ORDER BY id'))).scalars().all()
        progress = "SELECT DISTINCT next_offset, epoch FROM consumer_offset WHERE consumer_group = :group"
        assert (await connection.execute(text(progress), {"group": group})).all() == [(0, 2)]
    assert len(set(offsets)) == 2, "the second one was parked too"


class _Stored:
    """A record at a place of a topic."""

    def __init__(self, record: Record, offset: int) -> None:
        self.topic, self.partition, self.offset = record.topic, 0, offset
        self.key, self.value, self.headers = record.key, record.value, record.headers


async def test_a_topic_that_is_not_read_is_refused(database: Database, kafka: Kafka, group: str) -> None:
    async with client_of(database, kafka.bootstrap, group, Echo()) as client:
        answer: httpx.Response = await client.post("/admin/reread", json={"topic": "intake.applications", **WHO})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_read")
