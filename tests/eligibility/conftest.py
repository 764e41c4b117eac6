"""Eligibility's tests run on its real database, migrated once and emptied for each test; registers answer over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from eligibility.publication import publish
from eligibility.settings import Settings
from eligibility.tables import metadata
from kit import migrations
from kit.database import Database
from kit.sealing import Keyring
from stack.postgres import Postgres
from tests.eligibility.office import Office
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import DOCUMENT, Desk

EMPTIED = [
    "panel_scores",
    "tasks",
    "counted_invoices",
    "claims",
    "contracts",
    "assessments",
    "policies",
    "outbox",
    "inbox",
]


@pytest.fixture(scope="session")
async def migrated(postgres: Postgres) -> AsyncIterator[Database]:
    await migrations.upgrade("eligibility", postgres.owner_dsn("eligibility"))
    database = Database(postgres.dsn("eligibility"), pool_size=8, keyring=Keyring.fresh())
    yield database
    await database.close()


@pytest.fixture
async def database(migrated: Database) -> Database:
    """The database with nothing in it but the policy of the scenes."""
    assert set(EMPTIED) <= {table.name for table in metadata.sorted_tables}
    async with migrated.transaction() as connection:
        for name in EMPTIED:
            await connection.execute(text(f"DELETE FROM {name}"))
    await publish(migrated, [DOCUMENT])
    return migrated


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """An open transaction that is rolled back."""
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="session")
async def register_server() -> AsyncIterator[FakeRegisters]:
    registers = FakeRegisters()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        registers.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(registers.app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield registers
        server.should_exit = True
        await serving


@pytest.fixture
def registers(register_server: FakeRegisters) -> FakeRegisters:
    """The registers over HTTP on loopback: every company known and in order, until a test says otherwise."""
    register_server.reset()
    return register_server


@pytest.fixture
def settings(migrated: Database, registers: FakeRegisters) -> Settings:
    """Settings with short times: what waits in production for seconds waits here for hundredths."""
    quick: dict[str, Any] = {
        "register_tries": 2,
        "register_open_seconds": 0.1,
        "register_answer_age_seconds": 0.0,
        "assessor_first_retry_seconds": 0.02,
        "assessor_longest_retry_seconds": 0.05,
        "assessor_poll_seconds": 0.02,
        "assessor_lease_seconds": 5.0,
    }
    return Settings(
        database_url="postgresql://handed-in",
        kafka_bootstrap="handed-in",
        policies_dir=".",
        keyring_file="handed-in",
        registers_url=registers.url,
        **quick,
    )


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[Office]:
    office = Office(database, settings)
    yield office
    await office.registers.close()
