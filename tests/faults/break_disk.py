"""You are at the faults of disks (F12): PostgreSQL's, or one broker's, has no room left for a while.

The data move to a small disk when the first of these faults is played (``small_disk``), and back when the run ends.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from tests.faults.sabotage import Saboteur, until

_NO_ROOM: Final = "No space left on device"
_PANIC: Final = "PANIC:  could not write to file"
_BACK_SECONDS: Final = 120.0
_SEGMENTS: Final = 500
_AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_BALLAST: Final = "CREATE TEMP TABLE ballast AS SELECT repeat('x', 500) FROM generate_series(1, 200000)"
_NEXT_SEGMENT: Final = "SELECT pg_logical_emit_message(true, 'ballast', 'x'); SELECT pg_switch_wal()"


async def full_postgres(by: Saboteur) -> str:
    """F12: tables can't grow; every transaction that needs a page more fails."""
    async with by.system.postgres_busy:
        return await _fill(by, "postgres", _NO_ROOM, lambda: _execute(by, _BALLAST))


async def full_log_of_postgres(by: Saboteur) -> str:
    """F12: there is no room for the next segment of PostgreSQL's write-ahead log, and it dies of it."""

    async def need_segments() -> None:
        for _ in range(_SEGMENTS):  # those that it has in stock first
            if not await _execute(by, _NEXT_SEGMENT):
                return

    async with by.system.postgres_busy:
        return await _fill(by, "postgres", _PANIC, need_segments)


async def full_broker(by: Saboteur) -> str:
    """F12: a broker can't write; it stops itself, and can't start before there is room again."""
    async with by.system.kafka_busy:
        return await _fill(by, by.random.choice(by.system.brokers), _NO_ROOM)


async def _fill(by: Saboteur, name: str, proof: str, press: Callable[[], Awaitable[object]] | None = None) -> str:
    """Fill a component's disk, ``press`` it to write, and wait until the component works again on a freed one."""
    disk, log, component = by.system.disks[name], by.system.home.log(name), by.system.stack.components[name]
    if not disk.mounted:
        disk.mount()
    if not disk.holds_the_data:
        await by.system.stack.restart(name, meanwhile=lambda: asyncio.to_thread(disk.move))

    def told() -> int:
        return log.read_text(errors="replace").count(proof)

    async def told_again() -> int:
        return told() - before

    before = told()
    restarts = component.restarts
    try:
        disk.fill()
        if press:
            await press()
        await until(told_again, f"{proof!r} in the log of {name}")
        await asyncio.sleep(by.random.uniform(4, 8))
    finally:
        disk.free()
    await until(lambda: _works(component.ready), f"{name} at work again", _BACK_SECONDS)
    return f"{await told_again()} times {proof!r} in the log of {name}, restarted {component.restarts - restarts} times"


async def _works(ready: Callable[[], Awaitable[str | None]]) -> bool:
    return await ready() is None


async def _execute(by: Saboteur, statements: str) -> bool:
    """Whether it could be done; that it can't is what is wanted, and the log tells of it."""
    with contextlib.suppress(*_AWAY):
        connection = await by.system.connect("postgres")
        try:
            await connection.execute(statements)
        finally:
            await connection.close()
        return True
    return False
