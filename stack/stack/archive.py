"""You are at the archive of a stack's PostgreSQL: base backups, and each byte of the write-ahead log since the first.

    <archive>/base/<time>/    a base backup (pg_basebackup), with `databases.json` beside its files: which is which
    <archive>/wal/            the log (pg_receivewal), the segment that is being written as `.partial`

The log is received as it is written, and synchronously: PostgreSQL answers a commit, and shows it to others, only when
the receiver has it on its disk. So nothing can be published that the archive does not have, and a restore to the
archive's end loses nothing that anybody was told. The price is that a commit waits for a second disk, and stands
still while no receiver is there. An archive by `archive_command` would have the last minute only on the first disk.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from stack import pgdata
from stack.errors import StackError
from stack.grants import SERVICES
from stack.home import Home
from stack.postgres import CONNECT_SECONDS, Postgres
from stack.processes import Child, Command
from stack.watch import Component

RECEIVER = "drawdown_archive"
"""The name of the receiver and of its slot, which has the server keep what was not received yet."""
SETTINGS = {"synchronous_standby_names": RECEIVER}
SEGMENT_DIGITS = 24


@dataclass(frozen=True)
class Archive:
    """One archive directory. It belongs on another disk than the data."""

    path: Path

    @property
    def wal(self) -> Path:
        return self.path / "wal"

    def bases(self) -> list[Path]:
        """The base backups, the oldest first."""
        return sorted(path for path in (self.path / "base").glob("*Z") if (path / "databases.json").exists())

    def component(self, home: Home, postgres: Postgres) -> Component:
        """The receiver as the supervisor takes it."""
        command = Command(
            name="archive",
            argv=(*_receiver(), "--directory", str(self.wal), "--synchronous", "--no-loop", "--no-password"),
            log=home.log("archive"),
            env=client(postgres.superuser_dsn()),
            stop_seconds=10,
        )

        async def ready() -> str | None:
            return None if await _receives(postgres) else "it does not receive yet"

        async def prepare() -> None:
            self.wal.mkdir(parents=True, exist_ok=True)
            slot = [*_receiver(), "--create-slot", "--if-not-exists", "--no-password"]
            await asyncio.to_thread(run, slot, client(postgres.superuser_dsn()), "the archive's slot can't be made")

        return Component(Child(command), postgres.port, ready, prepare)

    async def back_up(self, postgres: Postgres) -> Path:
        """Take a base backup while everything runs; answers its directory, which is there only when it is whole.

        It is named after the moment at which it was whole: from then on it can be brought to any moment.
        """
        draft = self.path / "base" / f"{moment(datetime.now(UTC))}.new"
        draft.parent.mkdir(parents=True, exist_ok=True)
        databases = await _databases(postgres)
        take = [_program("pg_basebackup"), "--pgdata", str(draft), "--wal-method=none", "--checkpoint=fast"]
        environment = client(postgres.superuser_dsn())
        await asyncio.to_thread(run, [*take, "--no-password"], environment, "the base backup failed")
        (draft / "databases.json").write_text(json.dumps(databases))
        base = draft.with_name(moment(datetime.now(UTC)))
        draft.rename(base)
        return base

    def segments(self) -> list[Path]:
        """The log's files in their order, the one that is being written last."""
        return sorted(path for path in self.wal.iterdir() if len(path.name.partition(".")[0]) == SEGMENT_DIGITS)


def moment(at: datetime) -> str:
    """Return a moment as the base backups are named: in UTC, to the microsecond, so that names sort as moments do."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def _receiver() -> tuple[str, ...]:
    return (_program("pg_receivewal"), "--slot", RECEIVER)


def _program(name: str) -> str:
    return str(pgdata.programs() / name)


def client(dsn: str) -> dict[str, str]:
    """The environment in which PostgreSQL's programs reach a server: a password is never an argument."""
    login, _, place = dsn.removeprefix("postgresql://").rpartition("@")
    user, _, password = login.partition(":")
    address, _, database = place.partition("/")
    host, _, port = address.partition(":")
    return {
        "PATH": os.environ.get("PATH", ""),
        "PGAPPNAME": RECEIVER,
        "PGHOST": host,
        "PGPORT": port,
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": database,
        "LC_ALL": "C",
    }


def run(command: list[str], environment: Mapping[str, str], failed: str) -> str:
    """Run one of PostgreSQL's programs to its end; answers what it printed. Raises StackError with its last words."""
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{failed}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


async def _receives(postgres: Postgres) -> bool:
    """Whether the server sends to the receiver, and waits for it."""
    connection = await asyncpg.connect(postgres.superuser_dsn(), timeout=CONNECT_SECONDS)
    try:
        query = "SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync'"
        return await connection.fetchval(query, RECEIVER) is not None
    finally:
        await connection.close()


async def _databases(postgres: Postgres) -> dict[str, int]:
    """The number by which the log knows each service's database."""
    connection = await asyncpg.connect(postgres.superuser_dsn(), timeout=CONNECT_SECONDS)
    try:
        rows = await connection.fetch("SELECT datname, oid FROM pg_database WHERE datname = ANY($1)", list(SERVICES))
        return {row["datname"]: int(row["oid"]) for row in rows}
    finally:
        await connection.close()
