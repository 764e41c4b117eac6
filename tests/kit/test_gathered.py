"""What a transaction has to write is gathered and written at its end, with what it says; nothing of it is forgotten."""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox
from kit.database import Database, is_away, undone
from kit.outbox import Announcements
from kit.rows import Writes
from tests.kit.conftest import company, event

TALLY = (
    "INSERT INTO tallies (name, scheme, label, value) SELECT $1, '', label, 1 FROM unnest($2::text[]) AS given(label)"
)


def gathered(connection: AsyncConnection, *labels: str) -> Announcements:
    """Return what says nothing yet, with a row for each label to be written."""
    said = Announcements()
    said.writes = Writes(connection)
    said.writes.run(TALLY, ("gathered", labels))
    return said


async def labels(database: Database) -> list[str]:
    async with database.reading() as connection:
        found = await connection.execute(text("SELECT label FROM tallies WHERE name = 'gathered' ORDER BY label"))
        return list(found.scalars())


async def published(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def statements(connection: AsyncConnection) -> list[str]:
    """Return the statements that this transaction's connection keeps prepared."""
    return list((await connection.execute(text("SELECT statement FROM pg_prepared_statements"))).scalars())


@pytest.mark.parametrize("events", [0, 1, 19, 20, 300])
async def test_it_is_written_with_what_is_said(database: Database, events: int) -> None:
    async with database.transaction() as connection:
        said = gathered(connection, "a", "b")
        for number in range(events):
            said.say(event(company(), f"r{number}"))
        await outbox.add(connection, said)
    assert await labels(database) == ["a", "b"]
    assert await published(database) == events


async def test_few_events_and_rows_are_one_statement(database: Database) -> None:
    async with database.transaction() as connection:
        said = gathered(connection, "a")
        said.say(event(company(), "r"))
        await outbox.add(connection, said)
        assert [kept.count("INSERT") for kept in await statements(connection) if "INTO outbox" in kept] == [2]


async def test_a_column_of_what_was_written_comes_back_in_order(database: Database) -> None:
    written: list[str] = []
    async with database.transaction() as connection:
        said = gathered(connection, "a")
        assert said.writes is not None
        insert = f"{TALLY} ORDER BY label DESC"
        said.writes.run_returning(insert, ("gathered", ["c", "b"]), "label", written.extend)
        await outbox.add(connection, said)
    assert written == ["c", "b"]
    assert await labels(database) == ["a", "b", "c"]


async def test_without_it_nothing_is_committed(database: Database) -> None:
    async def forget() -> None:
        async with database.transaction() as connection:
            await outbox.add(connection, gathered(connection, "a"))
            gathered(connection, "forgotten")

    with pytest.raises(RuntimeError, match="gathered and not made"):
        await forget()
    assert await labels(database) == []


async def test_a_transaction_that_fails_says_why_and_leaves_nothing_to_the_next(database: Database) -> None:
    for _ in range(5):
        with suppress(ZeroDivisionError):
            async with database.transaction() as connection:
                gathered(connection, "undone")
                raise ZeroDivisionError
    async with database.transaction() as connection:
        await outbox.add(connection, gathered(connection, "a"))
    assert await labels(database) == ["a"]


async def test_what_was_gathered_in_a_savepoint_that_was_undone_is_not_written(database: Database) -> None:
    async with database.transaction() as connection:
        with suppress(ZeroDivisionError):
            async with connection.begin_nested():
                gathered(connection, "undone")
                raise ZeroDivisionError
        undone(connection)
        await outbox.add(connection, gathered(connection, "a"))
    assert await labels(database) == ["a"]


async def test_a_lost_connection_is_told_as_ever_though_another_has_its_place_already(
    database: Database, database_url: str
) -> None:
    """Its place in the pool is free as soon as it is lost: before the transaction that lost it has ended."""
    single = Database(database_url, pool_size=1, name="test")

    async def lose() -> None:
        async with single.transaction() as connection:
            gathered(connection, "lost")
            try:
                await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            finally:
                async with single.transaction() as another:
                    await outbox.add(another, gathered(another, "a"))

    with pytest.raises(DBAPIError) as told:
        await lose()
    assert is_away(told.value)
    assert await labels(database) == ["a"]
    await single.close()
