"""A database comes back from the archive with all that was committed, and the others do not notice."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from stack import archive as archives
from stack import pgdata
from stack import postgres as cluster
from stack.archive import Archive
from stack.errors import StackError
from stack.home import Home
from stack.migrate import migrate
from stack.ports import free_ports
from stack.postgres import Postgres
from stack.processes import Command
from stack.restore import Restore, Restored
from tests.docs.runbooks import blocks
from tests.kit.conftest import eventually

READY_SECONDS = 60.0


@pytest.fixture
async def archived(home: Home) -> AsyncIterator[tuple[Postgres, Archive]]:
    """PostgreSQL whose commits wait for an archive, with disbursement's tables and a base backup of them."""
    [port] = free_ports(1)
    archive = Archive(home.path / "archive")
    async with Archiving(home, archive, port) as postgres:
        await migrate(_migration(home, postgres))
        await archive.back_up(postgres)
        yield postgres, archive


class Archiving:
    """The cluster and its receiver, in the order in which the supervisor starts and stops them."""

    def __init__(self, home: Home, archive: Archive, port: int) -> None:
        self._postgres = Postgres(home, port, cluster.SETTINGS | archives.SETTINGS)
        self._receiver = archive.component(home, self._postgres)

    async def __aenter__(self) -> Postgres:
        await self._postgres.prepare()
        self._postgres.child.start()
        await self._postgres.child.until(self._postgres.ready, READY_SECONDS)
        await self._receiver.launch()
        await self._receiver.works()
        await self._postgres.provision()
        return self._postgres

    async def __aexit__(self, *_: object) -> None:
        await self._postgres.child.stop()
        await self._receiver.child.stop()


def _migration(home: Home, postgres: Postgres) -> Command:
    settings = {
        "DATABASE_URL": postgres.dsn("disbursement"),
        "MIGRATION_DATABASE_URL": postgres.owner_dsn("disbursement"),
        "KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "KEYRING_FILE": "/nowhere",
        "PROGRAMME_FILE": "/nowhere",
    }
    environment = {**os.environ, **{f"DISBURSEMENT_{name}": value for name, value in settings.items()}}
    argv = (sys.executable, "-m", "disbursement", "migrate")
    return Command(name="migrate", argv=argv, log=home.log("migrate"), env=environment)


async def handle(postgres: Postgres, count: int) -> set[UUID]:
    """Remember so many events as handled, each in a commit of its own, as the service's login does."""
    events = {uuid4() for _ in range(count)}
    connection = await asyncpg.connect(postgres.dsn("disbursement"))
    for event in events:
        await connection.execute("INSERT INTO inbox (event_id) VALUES ($1)", event)
    await connection.close()
    return events


async def handled(postgres: Postgres, database: str = "disbursement") -> set[UUID]:
    connection = await asyncpg.connect(postgres.superuser_dsn(database))
    try:
        return {row["event_id"] for row in await connection.fetch("SELECT event_id FROM inbox")}
    finally:
        await connection.close()


async def drop(postgres: Postgres) -> None:
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    await superuser.execute("DROP DATABASE disbursement WITH (FORCE)")
    await superuser.close()


async def restore(home: Home, archive: Archive, postgres: Postgres, until: datetime | None = None) -> Restored:
    return await Restore(home, archive, postgres, lambda _: None).run("disbursement", until)


async def test_a_dropped_database_is_back_with_every_commit_and_whoever_was_at_work_is_fenced(
    home: Home, archived: tuple[Postgres, Archive]
) -> None:
    postgres, archive = archived
    connection = await asyncpg.connect(postgres.dsn("disbursement"))
    await connection.execute("INSERT INTO consumer_offset VALUES ('disbursement', 'eligibility.decisions', 3, 41, 7)")
    await connection.close()
    events = await handle(postgres, 50)
    await drop(postgres)

    done = await restore(home, archive, postgres)

    assert done.until.startswith("until disbursement was dropped, at ")
    assert done.kept_as is None
    assert await handled(postgres) == events
    superuser = await asyncpg.connect(postgres.superuser_dsn("disbursement"))
    [(offset, epoch)] = await superuser.fetch("SELECT next_offset, epoch FROM consumer_offset")
    token = await superuser.fetchval("SELECT token FROM relay")
    await superuser.close()
    assert offset == 41
    assert min(epoch, token) > 1_700_000_000
    events |= await handle(postgres, 3)  # the service's login has its rights
    assert await handled(postgres) == events
    assert not (home.path / "restore").exists()


async def test_a_database_goes_back_to_a_moment_and_what_was_there_is_kept(
    home: Home, archived: tuple[Postgres, Archive]
) -> None:
    postgres, archive = archived
    before = await handle(postgres, 5)
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    moment: datetime = await superuser.fetchval("SELECT clock_timestamp()")
    await superuser.close()
    after = await handle(postgres, 5)

    done = await restore(home, archive, postgres, moment)

    assert await handled(postgres) == before
    assert done.kept_as is not None
    assert await handled(postgres, done.kept_as) == before | after


async def test_a_second_restore_brings_what_came_after_the_first(
    home: Home, archived: tuple[Postgres, Archive]
) -> None:
    """It begins at a base backup that was taken since: the log knows the database by another number from then on."""
    postgres, archive = archived
    events = await handle(postgres, 5)
    await drop(postgres)
    await restore(home, archive, postgres)
    await archive.back_up(postgres)
    events |= await handle(postgres, 5)
    await drop(postgres)

    await restore(home, archive, postgres)

    assert await handled(postgres) == events


async def test_what_the_archive_does_not_reach_is_refused(home: Home, archived: tuple[Postgres, Archive]) -> None:
    postgres, archive = archived
    with pytest.raises(StackError, match="has no base backup before that"):
        await restore(home, archive, postgres, datetime(2020, 1, 1, tzinfo=UTC))


async def test_a_whole_postgresql_is_back_by_the_runbooks_commands(home: Home) -> None:
    """Killed, and its directory gone: what the page says to do is done as it stands, but for where things are."""
    [port] = free_ports(1)
    archive = Archive(home.path / "archive")
    async with Archiving(home, archive, port) as lost:
        await migrate(_migration(home, lost))
        await archive.back_up(lost)
        events = await handle(lost, 50)
        assert lost.child.identity is not None
        lost.child.identity.send(signal.SIGKILL)
    [block] = [each for each in blocks("database-restore.md") if "/postgres/data.lost" in each.commands]
    away = "drawdown"
    commands = "\n".join(line for line in block.commands.splitlines() if not line.startswith(away))
    if pgdata.unprivileged_user() is None:  # nobody else to give the files to
        commands = commands.replace("chown -R embedded_postgres", "ls")
    environment = {**os.environ, "DRAWDOWN_HOME": str(home.path)}
    script = "set -eu\n" + commands.replace("/backup", str(archive.path))
    await asyncio.to_thread(subprocess.run, ["bash", "-c", script], env=environment, check=True)
    pgdata.open_path(archive.wal / "any")
    [port] = free_ports(1)
    async with cluster.running(home, port) as back:
        assert await handled(back) == events
        assert await handle(back, 1) <= await handled(back)


async def test_no_commit_is_seen_that_the_archive_does_not_have(home: Home, archived: tuple[Postgres, Archive]) -> None:
    """While the receiver is away a commit waits, and nobody else sees its rows: a relay can't publish them."""
    postgres, archive = archived
    receiver = archive.component(home, postgres)
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    await superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
    writing = asyncio.create_task(handle(postgres, 1))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    async def waits() -> bool:
        return bool(await superuser.fetchval(waiting))

    await eventually(waits)
    await superuser.close()
    assert await handled(postgres) == set()
    await receiver.launch()
    try:
        assert await asyncio.wait_for(writing, 20) == await handled(postgres)
    finally:
        await receiver.child.stop()
