"""The outbox against its topics: what was sent is there once, in order, and nothing else is; repeats are no matter."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.codec import encode
from contracts.events import EnvelopeSet
from contracts.money import Money
from kit import published, refill
from kit.database import Database
from kit.kafka import Record
from kit.messages import headers_of
from kit.published import Compared, Position
from kit.topic_reader import Place
from stack.kafka import Kafka
from tests.kit import broker
from tests.kit.conftest import NOW, TOPIC, company, eventually
from tests.kit.relays import Running, relay_of, say

ANEW = Position(-1, 7)

# Events that no outbox ever had would be found again by tests that read TOPIC from its beginning.
FORGED = "disbursement.ledger"
ENVELOPE = encode(
    EnvelopeSet(occurred_at=NOW, pool="pool", scheme="s", fiscal_year=2026, appropriated=Money(1), reason="forged")
)


@pytest.fixture
async def here(database: Database, kafka: Kafka) -> dict[Place, Position]:
    """The ends of the topic now: other tests' events lie before."""
    return await ends_of(database, kafka, TOPIC)


async def ends_of(database: Database, kafka: Kafka, topic: str) -> dict[Place, Position]:
    ends = await broker.ends_of(kafka.bootstrap, [topic])
    async with database.reading() as connection:
        cursor = (await connection.execute(text("SELECT cursor FROM relay"))).scalar_one()
    return {(place.topic, place.partition): Position(offset, cursor) for place, offset in ends.items()}


async def compare(database: Database, kafka: Kafka, positions: dict[Place, Position]) -> Compared:
    return await published.compare(database, kafka.bootstrap, sorted({topic for topic, _ in positions}), positions)


async def publish(database: Database, kafka: Kafka, count: int = 30) -> None:
    """Have a relay publish so many events of several keys."""
    relay = Running(relay_of(database, kafka.bootstrap))
    for _ in range(3):
        await say(database, company(), count // 3)
    await eventually(lambda: _is_published(database))
    await relay.stop()


async def _is_published(database: Database) -> bool:
    async with database.reading() as connection:
        left = text("SELECT count(*) = 0 FROM outbox WHERE id > (SELECT cursor FROM relay)")
        return bool((await connection.execute(left)).scalar_one())


async def forge(kafka: Kafka, sequence: int, value: bytes = ENVELOPE) -> None:
    """Produce an event that no outbox has."""
    now = datetime.now(UTC)
    headers = headers_of(
        event_id=uuid4(),
        event_type="drawdown.envelope.set.v1",
        source="x",
        subject="x",
        time=now,
        sequence=sequence,
        traceparent=None,
    )
    await broker.send(kafka.bootstrap, [Record(FORGED, b"pool", value, headers, int(now.timestamp() * 1000))])


async def test_what_a_relay_published_is_there_and_is_read_once(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    await publish(database, kafka)

    compared = await compare(database, kafka, here)

    assert compared.findings == []
    moved = [place for place, position in compared.positions.items() if position.next_offset > here[place].next_offset]
    assert len(moved) in {1, 2, 3}
    assert await compare(database, kafka, compared.positions) == compared


async def test_what_is_far_ahead_keeps_nothing_behind_from_being_read(
    database: Database, kafka: Kafka, here: dict[Place, Position], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices follow the outbox, whose events of one time lie in one partition; the others hold what comes later."""
    relay = Running(relay_of(database, kafka.bootstrap))
    for _ in range(6):
        await say(database, company(), 40)
    await eventually(lambda: _is_published(database))
    await relay.stop()
    monkeypatch.setattr(published, "_SLICE", 20)
    slices = 0

    def go_on() -> None:
        nonlocal slices
        slices += 1
        assert slices <= 240 / 20 + 2, "a slice brought nothing on"

    compared = await published.compare(database, kafka.bootstrap, [TOPIC], here, go_on)

    assert compared.findings == []
    assert {position.checked_id for position in compared.positions.values()} == {await last_id(database)}


async def last_id(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT max(id) FROM outbox"))).scalar_one())


async def test_what_is_not_published_yet_is_left_for_later(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    await say(database, company(), 3)

    assert await compare(database, kafka, here) == Compared(here)


async def test_events_that_were_sent_again_are_no_difference(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    await publish(database, kafka)
    compared = await compare(database, kafka, here)
    since = datetime.now(UTC) - timedelta(minutes=1)
    await refill.resend(database, since, who="li.wei", why="a test", dry_run=False)
    await publish(database, kafka)

    assert (await compare(database, kafka, here)).findings == []
    assert (await compare(database, kafka, compared.positions)).findings == []


async def test_an_event_that_is_not_on_its_topic_is_named(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    key = company()
    await say(database, key, 1)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET cursor = (SELECT max(id) FROM outbox)"))

    [finding] = (await compare(database, kafka, here)).findings

    assert "was published and is not on disbursement.payments" in finding.words
    assert key.encode() in (finding.data or b"")


@pytest.mark.parametrize("ahead", [0, 1_000_000])
async def test_an_event_that_the_outbox_never_had_is_named(database: Database, kafka: Kafka, ahead: int) -> None:
    here = await ends_of(database, kafka, FORGED)
    await publish(database, kafka)
    async with database.reading() as connection:
        last = (await connection.execute(text("SELECT max(id) FROM outbox"))).scalar_one()
    await forge(kafka, last + ahead)

    compared = await compare(database, kafka, here)

    [finding] = compared.findings
    assert "an event that the outbox never had" in finding.words
    assert compared.positions[finding.place] == here[finding.place], "it is found again until it is settled"


async def test_what_is_no_event_is_left_to_those_who_read_the_topic(database: Database, kafka: Kafka) -> None:
    here = await ends_of(database, kafka, FORGED)
    await forge(kafka, 1_000_000_000, b'{"half": ')

    compared = await compare(database, kafka, here)

    assert (compared.findings, compared.positions == here) == ([], False)


async def test_what_was_settled_is_passed_over_by_beginning_anew(database: Database, kafka: Kafka) -> None:
    here = await ends_of(database, kafka, FORGED)
    await forge(kafka, 1_000_000_000)

    begun = await compare(database, kafka, dict.fromkeys(here, ANEW))

    assert begun.findings == []
    assert ANEW not in begun.positions.values()
    assert await compare(database, kafka, begun.positions) == begun


async def test_beginning_anew_waits_until_everything_is_published(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    await say(database, company(), 1)

    assert set((await compare(database, kafka, dict.fromkeys(here, ANEW))).positions.values()) == {ANEW}


async def pass_others(database: Database) -> None:
    """Draw ids until ours lie above those of other tests' events, which stand on the topic from its beginning."""
    async with database.transaction() as connection:
        await connection.execute(text("SELECT count(nextval('outbox_id_seq')) FROM generate_series(1, 200000)"))


async def test_a_topic_that_was_lost_is_compared_from_its_beginning(
    database: Database, kafka: Kafka, here: dict[Place, Position]
) -> None:
    await pass_others(database)
    await publish(database, kafka)
    beyond = {place: Position(position.next_offset + 1_000, 10**9) for place, position in here.items()}

    compared = await compare(database, kafka, beyond)

    assert compared.findings == []
    assert compared.positions == (await compare(database, kafka, here)).positions


async def test_what_a_lost_topic_lacks_is_named(
    database: Database, kafka: Kafka, here: dict[Place, Position], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "_SLICE", 1_000_000)  # all that other tests have sent, and ours, in one look
    await pass_others(database)
    await publish(database, kafka)
    async with database.transaction() as connection:
        lost = "UPDATE outbox SET event_id = gen_random_uuid()"  # as if other events had been there
        await connection.execute(text(lost))
    beyond = {place: Position(position.next_offset + 1_000, 10**9) for place, position in here.items()}

    findings = (await compare(database, kafka, beyond)).findings

    assert len([finding for finding in findings if "was published and is not on" in finding.words]) == 30
