"""Plans that PostgreSQL keeps, on real PostgreSQL: one made for a small table does not outlive its smallness."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import plans
from kit.database import Database
from stack.postgres import Postgres
from tests.kit.conftest import SERVICE

GROWN = 20_000
LOOK_UP = text("SELECT number FROM growing WHERE number = ANY(:numbers)")


@pytest.fixture
async def database(database_url: str, postgres: Postgres) -> AsyncIterator[Database]:
    """One connection to a table that was analysed while it had a single page."""
    owner = await asyncpg.connect(postgres.owner_dsn(SERVICE))
    await owner.execute("CREATE TABLE growing (number int PRIMARY KEY) WITH (autovacuum_enabled = false)")
    await owner.execute("INSERT INTO growing VALUES (0)")
    await owner.execute("VACUUM ANALYZE growing")
    database = Database(database_url, pool_size=1)
    yield database
    await database.close()
    await owner.execute("DROP TABLE growing")
    await owner.close()


async def look_up(connection: AsyncConnection) -> bool:
    """Ask for a row; return whether the whole table was read for it."""
    counted = text("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'growing'")
    before = (await connection.execute(counted)).scalar_one()
    await connection.execute(LOOK_UP, {"numbers": [0]})
    return bool((await connection.execute(counted)).scalar_one() > before)


async def grown(database: Database) -> None:
    async with database.transaction() as connection:
        for _ in range(10):
            assert await look_up(connection), "a single page is read whole, and that plan is kept"
        await connection.execute(text(f"INSERT INTO growing SELECT generate_series(1, {GROWN})"))
        assert await look_up(connection)


@pytest.mark.parametrize("way", ["transaction", "reading", "snapshot"])
async def test_whoever_takes_a_connection_finds_no_plan_that_is_old(
    database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    await grown(database)
    async with database.transaction() as connection:
        assert await look_up(connection), "without this the next lines would prove nothing"
    monkeypatch.setattr(plans, "KEPT_SECONDS", 0.0)
    async with getattr(database, way)() as connection:
        await connection.execute(LOOK_UP, {"numbers": [0]})
    monkeypatch.undo()
    async with database.transaction() as connection:
        assert not await look_up(connection)


async def test_plans_are_kept_for_a_while(database: Database) -> None:
    """Making them for each statement would cost more than most statements."""
    made = text("SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT number FROM growing%'")
    for _ in range(20):
        async with database.transaction() as connection:
            await connection.execute(LOOK_UP, {"numbers": [0]})
    async with database.transaction() as connection:
        assert (await connection.execute(made)).scalar_one() > 10
