"""Disbursement's tests run on its real database: migrated once, every test rolled back."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import migrations
from kit.database import Database
from stack.postgres import Postgres
from tests.disbursement.scenes import Scene, opened_pool


@pytest.fixture(scope="session")
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    await migrations.upgrade("disbursement", postgres.owner_dsn("disbursement"))
    database = Database(postgres.dsn("disbursement"), pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[AsyncConnection]:
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
async def scene(connection: AsyncConnection) -> Scene:
    """A pool of CNY 1,000,000 with a scheme of 60 %, CNY 100,000 a company and an envelope of CNY 500,000."""
    scene = Scene(connection)
    await opened_pool(scene)
    return scene
