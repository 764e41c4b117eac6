"""Connections for HTTP callers: few, apart from the loops', and refused rather than waited for."""

import asyncio

import pytest
from sqlalchemy import text

from kit.callers import Callers
from kit.database import Database
from kit.errors import OverloadedError
from kit.settings import ServiceSettings


class Taken:
    """All of the callers' connections, held."""

    def __init__(self, callers: Callers, count: int) -> None:
        self._let_go = asyncio.Event()
        self._tasks = [asyncio.create_task(self._hold(callers)) for _ in range(count)]

    async def _hold(self, callers: Callers) -> None:
        async with callers.reading() as connection:
            await connection.execute(text("SELECT 1"))
            await self._let_go.wait()

    async def give_back(self) -> None:
        self._let_go.set()
        await asyncio.gather(*self._tasks)


def few(database_url: str, *, waiting: int, wait_seconds: float) -> Callers:
    settings = ServiceSettings(
        database_url=database_url,
        kafka_bootstrap="",
        http_port=0,
        http_pool_size=2,
        http_queue_size=waiting,
        http_wait_seconds=wait_seconds,
    )
    return Callers(settings, "few")


async def ask(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("SELECT 1"))


async def test_when_too_many_callers_wait_the_next_one_is_turned_away_at_once(database_url: str) -> None:
    callers = few(database_url, waiting=3, wait_seconds=30)
    taken = Taken(callers, 2 + 3)
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        async with callers.snapshot():
            pass
    await taken.give_back()
    await ask(callers)
    await callers.close()


async def test_a_caller_waits_for_a_connection_no_longer_than_it_is_told(database_url: str) -> None:
    callers = few(database_url, waiting=3, wait_seconds=0.2)
    taken = Taken(callers, 2)
    await asyncio.sleep(0.1)
    with pytest.raises(OverloadedError):
        async with callers.reading():
            pass
    await taken.give_back()
    await callers.close()


async def test_callers_take_no_connection_from_the_loops(database_url: str) -> None:
    loops = Database(database_url, pool_size=1, wait_seconds=5)
    callers = few(database_url, waiting=3, wait_seconds=30)
    taken = Taken(callers, 2 + 3)
    await ask(loops)
    await taken.give_back()
    await callers.close()
    await loops.close()
