"""Connections that die: who notices, and after how long."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.database import Database, is_away, is_transient
from kit.driver import fetch
from stack.ports import free_ports
from stack.postgres import Postgres
from tests.faults.proxy import Proxy

STATEMENT_SECONDS = 0.5
LET_GO_SECONDS = 3.0  # the statement's time, the client's margin, and a slow machine


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Database]:
    """A pool of one connection."""
    found = Database(database_url, pool_size=1, statement_timeout_seconds=STATEMENT_SECONDS, name="one")
    yield found
    await found.close()


@asynccontextmanager
async def behind_a_proxy(database_url: str) -> AsyncIterator[tuple[Database, Proxy]]:
    """A pool of one connection that reaches PostgreSQL through a proxy."""
    address, _, target = database_url.rpartition("@")[2].partition("/")[0].partition(":")
    [port] = free_ports(1)
    proxy = Proxy(port, int(target))
    url = database_url.replace(f"{address}:{target}", f"{address}:{port}")
    found = Database(url, pool_size=1, statement_timeout_seconds=STATEMENT_SECONDS, connect_seconds=1, wait_seconds=20)
    async with proxy.serving():
        yield found, proxy
        await found.close()


async def pid(connection: AsyncConnection) -> int:
    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_connection_that_was_ended_is_not_lent_to_anybody(one: Database, database: Database) -> None:
    async with one.reading() as connection:
        ended = await pid(connection)
    async with database.reading() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": ended})
    async with one.transaction() as connection:
        assert await pid(connection) != ended


@pytest.mark.parametrize("by_driver", [False, True])
async def test_a_connection_that_says_nothing_is_let_go_within_seconds(database_url: str, by_driver: bool) -> None:
    """Its socket is well: only the client's clock tells. A rollback after that would be waited for as long again."""
    async with behind_a_proxy(database_url) as (found, proxy):
        async with found.reading() as connection:
            await pid(connection)
        freezing = asyncio.create_task(proxy.freeze(60))
        await asyncio.sleep(0)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await write(found, by_driver=by_driver)
        assert time.monotonic() - began < LET_GO_SECONDS
        freezing.cancel()
        await asyncio.wait({freezing})
        await write(found, by_driver=by_driver)


async def write(database: Database, *, by_driver: bool) -> None:
    async with database.transaction() as connection:
        if by_driver:
            await fetch(connection, "SELECT pg_current_xact_id()::text")
        else:
            await connection.execute(text("SELECT pg_current_xact_id()"))


async def test_a_connection_knows_when_the_other_end_is_gone(one: Database) -> None:
    async with one.reading() as connection:
        servers = await connection.execute(text("SELECT current_setting('tcp_user_timeout')"))
        assert servers.scalar_one() == "9000"
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        end = driver._transport.get_extra_info("socket")
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 9000


async def test_a_read_leaves_no_transaction_behind(one: Database, database: Database) -> None:
    async with one.reading() as connection:
        assert await state(database, await pid(connection)) == "idle"
    async with one.transaction() as connection:
        assert await state(database, await pid(connection)) == "idle in transaction"


async def state(database: Database, number: int) -> str:
    query = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
    async with database.reading() as connection:
        return str((await connection.execute(query, {"pid": number})).scalar_one())


async def test_a_statement_that_takes_too_long_costs_no_connection(one: Database) -> None:
    async with one.reading() as connection:
        number = await pid(connection)
        with pytest.raises(SQLAlchemyError, match="statement timeout"):
            await connection.execute(text("SELECT pg_sleep(20)"))
    async with one.reading() as connection:
        assert await pid(connection) == number


async def test_a_database_that_is_away_because_it_is_restored_is_waited_for(postgres: Postgres) -> None:
    superuser = await asyncpg.connect(postgres.superuser_dsn())
    name = f"away_{uuid4().hex[:8]}"
    await superuser.execute(f"CREATE DATABASE {name} ALLOW_CONNECTIONS false")
    database = Database(f"{postgres.superuser_dsn().rpartition('/')[0]}/{name}", pool_size=2)
    try:
        for _ in ("closed", "dropped"):
            with pytest.raises(Exception, match=name) as refused:
                async with database.reading() as connection:
                    await connection.execute(text("SELECT 1"))
            assert is_transient(refused.value)
            assert is_away(refused.value)
            await superuser.execute(f"DROP DATABASE IF EXISTS {name}")
    finally:
        await superuser.close()
        await database.close()
