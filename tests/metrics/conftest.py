"""What the tests of metrics share: its database, migrated once and emptied for each test, and a client of its HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text

from kit import migrations
from kit.database import Database
from kit.lag import Lag
from metrics import programme, tables
from metrics.handlers import Handlers
from metrics.main import application, renderer
from metrics.page.freshness import Watch
from metrics.page.latest import Latest
from metrics.settings import Settings
from stack.postgres import Postgres

SHENZHEN = ZoneInfo("Asia/Shanghai")
PROGRAMME_FILE = Path(__file__).parents[2] / "policies" / "programme.yaml"
DELIVERY_TABLES = {"outbox", "inbox", "relay", "consumer_offset", "idempotency"}


@pytest.fixture(scope="session")
async def _migrated(postgres: Postgres) -> None:
    await migrations.upgrade("metrics", postgres.owner_dsn("metrics"))


@pytest.fixture
async def database(postgres: Postgres, _migrated: None) -> AsyncIterator[Database]:
    """An empty projection, reached with the runtime login."""
    found = Database(postgres.dsn("metrics"), pool_size=4, name="test")
    own = sorted(tables.metadata.tables.keys() - DELIVERY_TABLES)
    async with found.transaction() as connection:
        for table in own:
            await connection.execute(text(f"DELETE FROM {table}"))
    yield found
    await found.close()


@pytest.fixture
def handlers() -> Handlers:
    return Handlers(SHENZHEN)


async def _nothing_waits() -> list[Lag]:
    return []


def client_of(database: Database, watch: Watch | None = None) -> httpx.AsyncClient:
    """A client of the service's HTTP application on a database; ``watch`` says how current the figures are."""
    settings = Settings(database_url="postgresql://unused", kafka_bootstrap="unused")
    known = programme.read(PROGRAMME_FILE)
    latest = Latest(database, known, SHENZHEN, watch or Watch(_nothing_waits))
    app = application(database, known, latest, renderer(database, known, settings), {})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics")


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(database) as found:
        yield found
