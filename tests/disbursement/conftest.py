"""Disbursement's tests run on its real database: migrated once, every test rolled back, or emptied (``opened``)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import programme, tables
from kit import migrations
from kit.database import Database
from kit.sealing import Keyring
from stack.kafka import Kafka
from stack.postgres import Postgres
from tests.disbursement.books import Books
from tests.disbursement.scenes import PROGRAMME, Scene, opened_pool


@pytest.fixture(scope="session")
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    await migrations.upgrade("disbursement", postgres.owner_dsn("disbursement"))
    database = Database(postgres.dsn("disbursement"), pool_size=4, keyring=Keyring.fresh())
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


@pytest.fixture
async def emptied(database: Database, postgres: Postgres) -> AsyncIterator[Database]:
    """The database for tests that commit: everything is removed afterwards."""
    yield database
    names = ", ".join(table.name for table in tables.metadata.sorted_tables if table.name != "relay")
    owner = Database(postgres.owner_dsn("disbursement"), pool_size=2)  # the service's login may not truncate
    async with owner.transaction() as connection:
        await connection.execute(text(f"TRUNCATE {names}"))
    await owner.close()


@pytest.fixture
async def opened(emptied: Database, tmp_path: Path) -> Path:
    """A programme whose pool is open, committed."""
    path = tmp_path / "programme.yaml"
    path.write_text(PROGRAMME, encoding="utf-8")
    await programme.open_pools(emptied, programme.read(path))
    return path


@pytest.fixture
async def books(database: Database, postgres: Postgres, kafka: Kafka, opened: Path) -> AsyncIterator[Books]:
    """Committed books with some life in them, and hands to spoil them."""
    owner = Database(postgres.owner_dsn("disbursement"), pool_size=2, keyring=database.keyring)
    books = Books(database, owner, kafka.bootstrap)
    await books.open()
    yield books
    await owner.close()
