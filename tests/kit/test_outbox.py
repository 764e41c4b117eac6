"""The outbox: events are rows of the transaction that they tell of, in the order in which they were said."""

import pytest
from sqlalchemy import text

from kit import outbox
from kit.database import Database
from kit.errors import PermanentError
from kit.outbox import LARGEST_EVENT_BYTES, Announcements
from tests.kit.conftest import company, event


def said(*reasons: str, applicant: str) -> Announcements:
    announcements = Announcements()
    for reason in reasons:
        announcements.say(event(applicant, reason))
    return announcements


async def rows(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as connection:
        found = await connection.execute(text("SELECT key, convert_from(data, 'UTF8') AS data FROM outbox ORDER BY id"))
        return [(row.key, row.data) for row in found]


async def test_events_keep_the_order_in_which_they_were_said(database: Database) -> None:
    reasons, applicant = [f"r{number:03}" for number in range(300)], company()
    async with database.transaction() as connection:
        await outbox.add(connection, said(*reasons, applicant=applicant))
    found = await rows(database)
    assert [reason in data for reason, (_, data) in zip(reasons, found, strict=True)] == [True] * 300
    assert {key for key, _ in found} == {applicant}


async def test_events_of_a_transaction_that_failed_are_not_there(database: Database) -> None:
    async with database.engine.connect() as connection:
        await outbox.add(connection, said("lost", applicant=company()))
        await connection.rollback()
    assert await rows(database) == []


async def test_an_event_that_kafka_would_refuse_fails_its_transaction(database: Database) -> None:
    """The broker would refuse it for ever, and the relay would stand before it."""
    with pytest.raises(PermanentError, match=r"recovery\.demanded has 900\d+ bytes"):
        async with database.transaction() as connection:
            await outbox.add(connection, said("x" * LARGEST_EVENT_BYTES, applicant=company()))
    assert await rows(database) == []


async def test_the_largest_event_is_published(database: Database) -> None:
    async with database.transaction() as connection:
        await outbox.add(connection, said("x" * (LARGEST_EVENT_BYTES - 1_000), applicant=company()))
    assert len(await rows(database)) == 1
