"""You are where one service's database comes back from the archive, beside the others, which stay as they are.

All four share one PostgreSQL here, and a base backup and the log are of the whole of it. So the archive is restored
into an instance aside, up to the wished moment, and the one database is moved over from there. In production each
service has a cluster of its own: there the restored one takes the place of the lost one as it is.

Whoever still has positions of the lost database in memory is fenced: epochs and the relay's token rise above any that
was ever given. The service goes on by itself; it reads again what the restored database has not read.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from stack import pgdata, swap
from stack.archive import Archive, client, moment, run
from stack.errors import StackError
from stack.grants import grant_use
from stack.home import Home
from stack.ports import free_ports
from stack.postgres import CONNECT_SECONDS, SETTINGS, Postgres
from stack.processes import Child, Command

RECOVERY_SECONDS = 600.0
_START = re.compile(r"START WAL LOCATION: (\S+) \(file (\S+)\)")
_DROPPED = re.compile(r"lsn: (\S+),.*desc: DROP .*?(\d+)/(\d+)")
_FENCES = (
    "UPDATE consumer_offset SET epoch = extract(epoch FROM now())::bigint",
    "UPDATE relay SET token = extract(epoch FROM now())::bigint, expires_at = '-infinity'",
)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """What came of it. `until` is where recovery stopped, `recovered_to` the time of the last commit that it has."""

    service: str
    base: str
    until: str
    recovered_to: str
    kept_as: str | None
    seconds: float


class Restore:
    """The restore of one database of a running stack."""

    def __init__(self, home: Home, archive: Archive, postgres: Postgres, tell: Tell) -> None:
        self._home, self._archive, self._postgres, self._tell = home, archive, postgres, tell
        self._place = home.path / "restore"
        self._stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S}"

    async def run(self, service: str, until: datetime | None = None) -> Restored:
        """Bring the database back: as it was at `until`, else just before it was dropped, else as the archive ends.

        Raises StackError where the archive does not reach so far.
        """
        began = time.monotonic()
        base = self._base_before(until)
        with self._aside():
            target, said = await asyncio.to_thread(self._target, base, service, until)
            self._tell(f"recovering {base.name}, {said}")
            recovered = await self._recovered(base, target)
            try:
                recovered_to = await self._last_commit(recovered, service)
                kept = await self._move_over(recovered, service)
            finally:
                await recovered.child.stop()
        return Restored(service, base.name, said, recovered_to, kept, round(time.monotonic() - began, 1))

    def _base_before(self, until: datetime | None) -> Path:
        latest = moment(until) if until else "~"
        usable = [base for base in self._archive.bases() if base.name < latest]
        if not usable:
            raise StackError(f"{self._archive.path} has no base backup before that: drawdown up --archive takes one")
        return usable[-1]

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """A directory that is away again at the end, with the log's files under the names that recovery asks for."""
        shutil.rmtree(self._place, ignore_errors=True)
        (self._place / "wal").mkdir(parents=True)
        for segment in self._archive.segments():
            (self._place / "wal" / segment.name.partition(".")[0]).symlink_to(segment)
        try:
            yield
        finally:
            shutil.rmtree(self._place)

    # --- until when ------------------------------------------------------------------------------------------------

    def _target(self, base: Path, service: str, until: datetime | None) -> tuple[dict[str, str], str]:
        """What recovery is told, and the same in words."""
        if until:
            at = f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}"
            return {"recovery_target_time": at}, f"until {at}"
        if dropped := self._dropped_at(base, service):
            target = {"recovery_target_lsn": dropped, "recovery_target_inclusive": "off"}
            return target, f"until {service} was dropped, at {dropped}"
        return {}, "to the end of the archive"

    def _dropped_at(self, base: Path, service: str) -> str | None:
        """Where the log says that this database's files were removed; None where it says nothing of it."""
        number = json.loads((base / "databases.json").read_text())[service]
        start = _START.search((base / "backup_label").read_text())
        assert start is not None, f"{base} has no start: pg_basebackup writes it"
        look = [str(pgdata.programs() / "pg_waldump"), "--path", str(self._place / "wal"), "--rmgr=Database"]
        # it ends with an error where the log does, which is in the middle of a file
        done = subprocess.run([*look, "--start", start[1]], capture_output=True, text=True, check=False)
        found = [found[1] for found in _DROPPED.finditer(done.stdout) if int(found[3]) == number]
        return found[-1] if found else None

    # --- aside -----------------------------------------------------------------------------------------------------

    async def _recovered(self, base: Path, target: dict[str, str]) -> "Aside":
        """An instance of the base backup, after recovery."""
        data = self._place / "data"
        await asyncio.to_thread(shutil.copytree, base, data)
        (data / "recovery.signal").touch()
        data.chmod(0o700)
        [port] = free_ports(1)
        aside = Aside(self._home, data, port, self._postgres, self._recovery(target))
        await asyncio.to_thread(_give_to_postgres, self._place)
        aside.child.start()
        await aside.child.until(aside.ready, RECOVERY_SECONDS)
        return aside

    def _recovery(self, target: dict[str, str]) -> dict[str, str]:
        fetch = f'cp "{self._place / "wal"}/%f" "%p"'
        return {**SETTINGS, "restore_command": fetch, "recovery_target_action": "promote", **target}

    async def _last_commit(self, aside: "Aside", service: str) -> str:
        """Of what was done in this database: the outbox says when."""
        await swap.as_superuser(  # stopped between the mark and the removal: its files are whole
            aside.postgres, "UPDATE pg_database SET datconnlimit = -1 WHERE datconnlimit = -2"
        )
        connection = await asyncpg.connect(aside.postgres.superuser_dsn(service), timeout=CONNECT_SECONDS)
        try:
            at: datetime | None = await connection.fetchval("SELECT max(created_at) FROM outbox")
        finally:
            await connection.close()
        return at.isoformat() if at else "before its first event"

    # --- back ------------------------------------------------------------------------------------------------------

    async def _move_over(self, aside: "Aside", service: str) -> str | None:
        """Copy the database into the running instance, and give it its name; answers what the old one is called now."""
        new, dump = f"{service}_restored_{self._stamp}", str(self._place / "dump")
        self._tell(f"moving {service} over")
        take = [str(pgdata.programs() / "pg_dump"), "--format=custom", "--compress=0", "--file", dump, service]
        await asyncio.to_thread(run, take, client(aside.postgres.superuser_dsn(service)), "pg_dump failed")
        await swap.create_beside(self._postgres, new, service)
        put = [str(pgdata.programs() / "pg_restore"), "--single-transaction", "--exit-on-error", "--dbname", new, dump]
        await asyncio.to_thread(run, put, client(self._postgres.superuser_dsn(new)), "pg_restore failed")
        connection = await asyncpg.connect(self._postgres.superuser_dsn(new), timeout=CONNECT_SECONDS)
        try:
            await grant_use(connection, service)
            for fence in (*_FENCES, "ANALYZE"):
                await connection.execute(fence)
        finally:
            await connection.close()
        before = f"{service}_before_{self._stamp}"
        return before if await swap.put_in_place(self._postgres, new, service, before) else None


class Aside:
    """A PostgreSQL of its own on a copy of the backup, with the logins that the backup has."""

    def __init__(self, home: Home, data: Path, port: int, like: Postgres, settings: dict[str, str]) -> None:
        user = pgdata.unprivileged_user()
        flags = [flag for name, value in {**settings, "port": str(port)}.items() for flag in ("-c", f"{name}={value}")]
        self.postgres = like.at(port)
        self.child = Child(
            Command(
                name="restore",
                argv=(str(pgdata.programs() / "postgres"), "-D", str(data), *flags),
                log=home.log("restore"),
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
                user=f"{user.pw_uid}:{user.pw_gid}" if user else "-",
                stop_signal=signal.SIGINT,
                stop_seconds=30,
            )
        )

    async def ready(self) -> str | None:
        return await self.postgres.ready()


def _give_to_postgres(place: Path) -> None:
    """As root: the copy, and what it reads of the archive, become readable for the user that PostgreSQL runs as."""
    user = pgdata.unprivileged_user()
    if user is None:
        return
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            os.chown(path, user.pw_uid, user.pw_gid)
    pgdata.open_path(place / "wal" / "any")
    for segment in (place / "wal").iterdir():
        target = segment.resolve()
        os.chown(target, user.pw_uid, user.pw_gid)
        pgdata.open_path(target)
