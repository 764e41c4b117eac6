"""Migrations of every service: one head, again without harm, and what they make is what the code says."""

import asyncio
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.topics import SERVICES
from kit import migrations
from kit.database import Database, async_url
from stack.postgres import Postgres


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_one_head(service: str) -> None:
    heads = ScriptDirectory.from_config(migrations.configuration(service)).get_heads()

    assert heads == [migrations.head(service)]


@pytest.mark.parametrize("service", SERVICES)
async def test_the_tables_are_as_the_code_says(service: str, postgres: Postgres) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"include_name": migrations.include_name, "compare_type": True, "compare_server_default": True}
        tables = import_module(f"{service}.tables")
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    await migrations.upgrade(service, postgres.owner_dsn(service))
    await migrations.upgrade(service, postgres.owner_dsn(service))
    engine = create_async_engine(async_url(postgres.owner_dsn(service)))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_runtime_login_finds_its_revision_and_may_roll_partitions_but_not_drop_them(
    service: str, postgres: Postgres
) -> None:
    await migrations.upgrade(service, postgres.owner_dsn(service))
    database = Database(postgres.dsn(service), pool_size=2)
    await database.check(migrations.head(service))
    await database.roll_partitions()
    with pytest.raises(Exception, match="must be owner"):
        async with database.transaction() as connection:
            await connection.execute(text("DROP TABLE outbox"))
    await database.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_postgresql_gathers_no_statistics_of_documents(service: str, postgres: Postgres) -> None:
    await migrations.upgrade(service, postgres.owner_dsn(service))
    database = Database(postgres.dsn(service), pool_size=2)
    async with database.transaction() as connection:
        await connection.execute(text("SELECT roll_partitions(30)"))
        found = await connection.execute(
            text("""SELECT attrelid::regclass::text, attname, coalesce(attstattarget, -1) AS target
            FROM pg_attribute JOIN pg_class AS own ON own.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0
            AND NOT attisdropped AND atttypid IN ('jsonb'::regtype, 'bytea'::regtype)""")
        )
        targets = {(row[0], row[1]): row.target for row in found}
    await database.close()
    assert len([1 for name, _ in targets if name.startswith("outbox_")]) > 60
    assert [name for name, target in targets.items() if target != 0] == []


async def test_a_migration_tries_again_while_others_are_in_the_way(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.owner_dsn("metrics")
    await migrations.upgrade("metrics", url)
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "100ms")
    given_up: list[str] = []
    twice = asyncio.Event()

    def warning(event: str, **_: object) -> None:
        given_up.append(event)
        if len(given_up) == 2:
            twice.set()

    monkeypatch.setattr(migrations.log, "warning", warning)
    engine = create_async_engine(async_url(url))
    async with engine.begin() as busy:
        await busy.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        migrating = asyncio.create_task(migrations.upgrade("metrics", url))
        await asyncio.wait_for(twice.wait(), 30)
        assert not migrating.done()
    await migrating
    monkeypatch.setattr(migrations, "_TRIES", 2)
    async with engine.begin() as busy:
        await busy.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await migrations.upgrade("metrics", url)
    await engine.dispose()
