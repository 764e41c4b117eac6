"""The sequence fence waits for every transaction that may have drawn an id, and for no other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import fence
from kit.database import Database
from stack.postgres import Postgres

ANOTHER = "intake"


@asynccontextmanager
async def autocommit(database: Database) -> AsyncIterator[AsyncConnection]:
    async with database.reading() as connection:
        yield connection


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[None]:
    """A transaction that has an id of its own, open for the block."""
    database = Database(url, pool_size=1, name="writer")
    try:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_current_xact_id()"))
            yield
    finally:
        await database.close()


async def own_id(connection: AsyncConnection) -> str:
    """Return the transaction's id of a fence behind whatever was drawn."""
    own = (await fence.draw(connection, "outbox_id_seq", -1)).own
    assert own is not None
    return own


async def test_a_transaction_of_the_same_database_is_waited_for(database: Database, database_url: str) -> None:
    async with autocommit(database) as connection:
        async with writing(database_url):
            own = await own_id(connection)
            assert not await fence.passed(connection, own)
            assert not await fence.passed(connection, own)
        assert await fence.passed(connection, own)


async def test_who_began_after_the_fence_is_not_waited_for(database: Database, database_url: str) -> None:
    async with autocommit(database) as connection:
        own = await own_id(connection)
        async with writing(database_url):
            assert await fence.passed(connection, own)


async def test_a_transaction_of_another_database_and_login_is_not_waited_for(
    database: Database, postgres: Postgres
) -> None:
    async with autocommit(database) as connection, writing(postgres.dsn(ANOTHER)):
        own = await own_id(connection)
        assert await fence.passed(connection, own)


async def test_both_at_once_leave_the_one_that_counts(
    database: Database, database_url: str, postgres: Postgres
) -> None:
    async with autocommit(database) as connection, writing(postgres.dsn(ANOTHER)):
        async with writing(database_url):
            own = await own_id(connection)
            assert not await fence.passed(connection, own)
        assert await fence.passed(connection, own)


async def test_a_superuser_in_the_same_database_is_waited_for(database: Database, postgres: Postgres) -> None:
    async with autocommit(database) as connection:
        async with writing(postgres.superuser_dsn("metrics")):
            own = await own_id(connection)
            assert not await fence.passed(connection, own)
        assert await fence.passed(connection, own)
