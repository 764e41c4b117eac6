"""Migrations: from empty to the one head, twice without harm, and what they make is what the code says."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kit import migrations
from kit.database import Database
from metrics import tables
from stack.postgres import Postgres


def test_there_is_one_head() -> None:
    assert ScriptDirectory.from_config(migrations.configuration("metrics")).get_heads() == [migrations.head("metrics")]


async def test_migrating_again_changes_nothing(database: Database, postgres: Postgres) -> None:
    await migrations.upgrade("metrics", postgres.owner_dsn("metrics"))
    await database.check(migrations.head("metrics"))


async def test_the_tables_are_as_the_code_says(database: Database) -> None:
    def compare(connection: Connection) -> list[object]:
        options = {"include_name": migrations.include_name, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata))

    async with database.reading() as connection:
        assert await connection.run_sync(compare) == []
