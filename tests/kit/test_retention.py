"""Retention on real PostgreSQL: old days are dropped once they are published, and nothing else ever is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from kit.database import Database
from stack.postgres import Postgres
from tests.kit.conftest import SERVICE

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(age: int) -> datetime:
    return TODAY - timedelta(days=age)


def name(table: str, age: int) -> str:
    return f"{table}_{day(age):%Y%m%d}"


@pytest.fixture
async def owner(database: Database, postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """The owner of the tables, to make days that are long over; none is left behind."""
    connection = await asyncpg.connect(postgres.owner_dsn(SERVICE))
    yield connection
    for table in sorted(await partitions(database)):
        if table[-8:] < f"{day(1):%Y%m%d}":
            await connection.execute(f"DROP TABLE {table}")
    await connection.close()


async def make_days(owner: asyncpg.Connection, *ages: int) -> None:
    for age in ages:
        since, until = (f"{day(age):%Y-%m-%d}", f"{day(age - 1):%Y-%m-%d}")
        await owner.execute(
            f"CREATE TABLE {name('outbox', age)} PARTITION OF outbox FOR VALUES FROM ('{since} UTC') TO ('{until} UTC')"
        )
        await owner.execute(
            f"CREATE TABLE {name('inbox', age)} PARTITION OF inbox"
            f" FOR VALUES FROM (first_uuid_of('{since}')) TO (first_uuid_of('{until}'))"
        )


async def partitions(database: Database) -> set[str]:
    """The partitions of single days."""
    query = (
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN ('outbox'::regclass, 'inbox'::regclass)"
    )
    async with database.reading() as connection:
        names = set((await connection.execute(text(query.replace(":", r"\:")))).scalars())
    return names - {"outbox_default", "inbox_default"}


async def write(owner: asyncpg.Connection, age: int) -> int:
    """Put one event into the outbox of a day; answers its id."""
    written = await owner.fetchval(
        "INSERT INTO outbox (id, created_at, event_id, topic, key, type, subject, time)"
        " VALUES (nextval('outbox_id_seq'), $1, gen_random_uuid(), 't', 'k', 'e', 's', $1) RETURNING id",
        day(age) + timedelta(hours=12),
    )
    return int(written)


async def publish_up_to(owner: asyncpg.Connection, cursor: int) -> None:
    await owner.execute("UPDATE relay SET cursor = $1", cursor)


async def test_old_published_days_go_and_young_ones_stay(database: Database, owner: asyncpg.Connection) -> None:
    await make_days(owner, 30, 9, 7)
    last = [await write(owner, age) for age in (30, 9, 7)][-1]
    await publish_up_to(owner, last)
    before = await partitions(database)
    dropped = await database.drop_old_partitions(7)
    assert sorted(dropped) == sorted([name("outbox", 30), name("outbox", 9), name("inbox", 30)])
    assert await partitions(database) == before - set(dropped)
    assert await database.drop_old_partitions(7) == []


async def test_what_the_relay_has_not_passed_is_never_dropped(database: Database, owner: asyncpg.Connection) -> None:
    await make_days(owner, 30, 29, 28)
    published, waiting = await write(owner, 30), await write(owner, 29)
    await publish_up_to(owner, published)
    dropped = [table for table in await database.drop_old_partitions(7) if table.startswith("outbox")]
    assert dropped == [name("outbox", 30), name("outbox", 28)], "an empty day holds nothing back"
    async with database.reading() as connection:
        assert list((await connection.execute(text("SELECT id FROM outbox"))).scalars()) == [waiting]
    await publish_up_to(owner, waiting)
    assert await database.drop_old_partitions(7) == [name("outbox", 29)]


async def test_rows_of_days_without_a_partition_stay(database: Database, owner: asyncpg.Connection) -> None:
    old = await write(owner, 100)
    await publish_up_to(owner, old)
    await owner.execute("INSERT INTO inbox (event_id) VALUES ($1)", UUID(int=1))
    assert await database.drop_old_partitions(7) == []
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM outbox_default"))).scalar_one() == 1
        assert (await connection.execute(text("SELECT count(*) FROM inbox_default"))).scalar_one() == 1


async def test_the_days_that_are_kept_are_at_least_one(database: Database) -> None:
    with pytest.raises(Exception, match="at least 1 day is kept"):
        await database.drop_old_partitions(0)
