"""The migrations: from empty to the models, one head, and again without effect."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from eligibility.tables import metadata
from kit import migrations
from kit.database import Database, async_url
from stack.postgres import Postgres


def test_the_history_has_one_head() -> None:
    assert len(ScriptDirectory.from_config(migrations.configuration("eligibility")).get_heads()) == 1


async def test_the_models_are_what_the_migrations_make(migrated: Database, postgres: Postgres) -> None:
    engine = create_async_engine(async_url(postgres.owner_dsn("eligibility")))
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


async def test_a_second_run_changes_nothing(migrated: Database, postgres: Postgres) -> None:
    await migrations.upgrade("eligibility", postgres.owner_dsn("eligibility"))
    await migrated.check(migrations.head("eligibility"))


def _differences(connection: Connection) -> list[object]:
    options = {"include_name": migrations.include_name, "compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
