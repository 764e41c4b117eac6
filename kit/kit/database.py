"""The connections to PostgreSQL: a pool for a process's loops, and one way to open a transaction.

HTTP callers have a pool of their own (``kit.callers``), so that a crowd of them never keeps a loop from its work.

A task is never cancelled inside a transaction: SQLAlchemy with asyncpg would leak its connection. Loops stop by a
flag between transactions, and a write for an HTTP caller runs in a task of its own (``kit.groups``).
"""

from collections.abc import AsyncIterator, Iterator, Sized
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from kit import meters, plans, sealing
from kit.at_hand import AtHand
from kit.connections import connect_arguments, let_go_of_the_dead
from kit.errors import SetupError, TransientError
from kit.sealing import Keyring

_DURABLE: Final = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
_CONNECT_TIMEOUT_SECONDS: Final = 5.0


def async_url(url: str) -> str:
    """Return a ``postgresql://`` address for the asyncpg driver."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


_GATHERING: Final = "gathering_writes"


def gathering(connection: AsyncConnection, writes: Sized) -> None:
    """Say that these are to be written in the transaction: it can't commit while there is any."""
    lost = connection.sync_connection is None or connection.sync_connection.invalidated  # which the next statement says
    if not lost and (gathered := connection.info.get(_GATHERING)) is not None:
        gathered.append(writes)


def undone(connection: AsyncConnection) -> None:
    """Say that a savepoint was undone: what was gathered in it is not to be written any more."""
    connection.info[_GATHERING].clear()


@contextmanager
def _all_made(info: dict[str, Any]) -> Iterator[None]:
    gathered: list[Sized] = []
    info[_GATHERING] = gathered
    try:
        yield
        if any(gathered):
            raise RuntimeError("writes were gathered and not made: the transaction can't commit without them")
    finally:
        if info.get(_GATHERING) is gathered:  # else the connection was lost, and who has made another is at work on it
            del info[_GATHERING]


def to_json(value: Any) -> str:
    """Return JSON text for a JSONB column; structs and dates are fine."""
    return msgspec.json.encode(value).decode()


class Database:
    """A pool of connections to one service's database."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        statement_timeout_seconds: float = 30.0,
        wait_seconds: float | None = None,
        connect_seconds: float = _CONNECT_TIMEOUT_SECONDS,
        name: str = "",
        pool: str = "loops",
        keyring: Keyring | None = None,
    ) -> None:
        """``wait_seconds`` is how long a connection is waited for: as long as for a statement, unless given.

        ``name`` is what PostgreSQL shows of the connections, ``pool`` what the metrics call them.
        ``keyring`` is what their users seal and open with (``sealing.keyring_of``); None where nothing of persons is.
        """
        self.keyring = keyring
        self.at_hand = AtHand()
        connect_args = connect_arguments(
            name or "drawdown", connect_seconds=connect_seconds, statement_seconds=statement_timeout_seconds
        )
        self.engine: AsyncEngine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=statement_timeout_seconds if wait_seconds is None else wait_seconds,
            pool_use_lifo=True,
            json_serializer=to_json,
            json_deserializer=msgspec.json.decode,
            connect_args=connect_args,
            execution_options=sealing.execution_options(keyring),
            hide_parameters=True,
        )
        let_go_of_the_dead(self.engine.sync_engine)
        self._unpooled = create_async_engine(
            async_url(url), poolclass=NullPool, connect_args=connect_args, hide_parameters=True
        )
        self._count_connections(pool, pool_size)

    def _count_connections(self, pool: str, pool_size: int) -> None:
        meters.POOL_SIZE.labels(pool).set(pool_size)
        in_use = meters.POOL_IN_USE.labels(pool)
        event.listen(self.engine.sync_engine, "checkout", lambda *_: in_use.inc())
        event.listen(self.engine.sync_engine, "checkin", lambda *_: in_use.dec())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self.engine.connect())
            except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:  # SQLAlchemy did not have it yet
                raise ConnectionError(f"the connection was lost while it was made: {error}") from error
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: committed when the block ends, rolled back when it raises."""
        async with self._connected() as connection:
            with self.at_hand.adding(connection):
                async with connection.begin():
                    await plans.renew(connection)
                    with _all_made(connection.info):
                        yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for reads, and statements that commit alone: each sees what is committed when it starts.

        There is no transaction around them, so that a read is one round trip and leaves nothing to roll back.
        """
        async with self._connected() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            await plans.renew(connection)
            yield connection

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[AsyncConnection]:
        """Give a new connection, outside the pool: for asking whether the database answers when the pool does not."""
        async with self._unpooled.connect() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for reads that agree with each other: all of them see the same moment."""
        async with self._connected() as plain:
            connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                await plans.renew(connection)
                yield connection

    async def check(self, revision: str) -> None:
        """Raise SetupError unless commits are durable, TransientError until the migrations have reached ``revision``.

        A database that is further on is fine: migrations expand, and the code before them goes on during an upgrade.
        """
        async with self.reading() as connection:
            for setting, wanted in _DURABLE.items():
                found = (await connection.execute(text(f"SHOW {setting}"))).scalar_one()
                if found != wanted:
                    raise SetupError(
                        f"PostgreSQL runs with {setting}={found}: set it to {wanted}, this is public money"
                    )
            at = await _revision(connection)
        if at is None or at < revision:
            raise TransientError(f"the database is at migration {at}, this version needs {revision}: run `migrate`")

    async def roll_partitions(self, days_ahead: int = 7) -> None:
        """Make the outbox's and inbox's partitions of the coming days."""
        async with self.transaction() as connection:
            await connection.execute(text("SELECT roll_partitions(:days)"), {"days": days_ahead})

    async def drop_old_partitions(self, keep_days: int) -> list[str]:
        """Drop the outbox's published and the inbox's forgettable days; return the names of the partitions."""
        async with self.transaction() as connection:
            dropped = await connection.execute(text("SELECT drop_old_partitions(:days)"), {"days": keep_days})
            return list(dropped.scalars())

    async def close(self) -> None:
        await self.engine.dispose()


async def _revision(connection: AsyncConnection) -> str | None:
    exists = await connection.execute(text("SELECT to_regclass('alembic_version')"))
    if exists.scalar_one() is None:
        return None
    found: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    return found


# SQLSTATE classes of errors that pass by themselves: connection, no such database (it is being restored), rollback
# (deadlock, serialization), resources, not now (locks), operator's intervention (shutdown, time-out), system.
_PASSING: Final = ("08", "3D", "40", "53", "55", "57", "58")


def is_transient(error: BaseException) -> bool:
    """Return whether an error is one that waiting cures: the database or a broker is away, slow or busy."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", "") or "")
        nameless = not state and isinstance(error, InterfaceError | InternalError | OperationalError)
        return error.connection_invalidated or state.startswith(_PASSING) or nameless
    return isinstance(error, TransientError | OSError | TimeoutError | PoolTimeoutError)


# SQLSTATE classes of errors that say nothing about what was asked: connection, no such database, resources, a database
# that takes no connections (it is being restored), shutdown and start, system.
_AWAY: Final = ("08", "3D", "53", "55000", "57P", "58")


def is_away(error: BaseException) -> bool:
    """Return whether the database could not be reached, or was lost on the way: whoever asks now fares the same."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or str(getattr(error.orig, "sqlstate", "") or "").startswith(_AWAY)
    return isinstance(error, OSError | TimeoutError | PoolTimeoutError)


def describe(error: BaseException) -> str:
    """Return the one line of a database error that says what happened, without the statement and its values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig).split("\n", 1)[0]
    return str(error).split("\n", 1)[0] or type(error).__name__
