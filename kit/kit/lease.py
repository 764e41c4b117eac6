"""The lease on an outbox: one relay at a time, with a token that tells a late one that it was replaced.

It is kept for as long as its holder lives and reaches the database. A broker that is slow is no reason to hand over:
the next relay would wait for the same broker, and both would send the same page again and again.

The cursor is stored some moments late: what a relay that dies has sent since is sent again, and dropped by who has it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.driver import execute
from kit.errors import FencedError

_STORE_EVERY_SECONDS: Final = 0.1

_ACQUIRE: Final = text(
    """
    UPDATE relay SET holder = :holder, token = token + 1, expires_at = now() + make_interval(secs => :seconds)
    WHERE name = 'outbox' AND (expires_at < now() OR holder = :holder) RETURNING token, cursor
    """
)
_KEEP: Final = """
UPDATE relay SET cursor = $1, expires_at = now() + make_interval(secs => $2) WHERE name = 'outbox' AND token = $3
"""
_RELEASE: Final = text("UPDATE relay SET expires_at = '-infinity' WHERE name = 'outbox' AND token = :token")


class Lease:
    """Held from ``acquire`` to ``release``. ``cursor`` is the last id that is published, the database may have less."""

    def __init__(self, connection: AsyncConnection, seconds: float, token: int, cursor: int) -> None:
        self._connection = connection
        self._seconds = seconds
        self.token = token
        self.cursor = cursor
        self._stored = cursor
        self._renewed_at = asyncio.get_running_loop().time()

    @classmethod
    async def acquire(cls, connection: AsyncConnection, holder: str, seconds: float) -> Self | None:
        """Return the lease, or None while somebody else holds it. ``connection`` must commit each statement."""
        row = (await connection.execute(_ACQUIRE, {"holder": holder, "seconds": seconds})).first()
        return None if row is None else cls(connection, seconds, row.token, row.cursor)

    async def advance(self, cursor: int) -> None:
        """Move the cursor, and store it if that is due. Raises FencedError when another relay has taken the lease."""
        self.cursor = cursor
        if self._age() >= _STORE_EVERY_SECONDS:
            await self._renew()

    async def keep(self) -> bool:
        """Store the cursor where it has moved; renew the lease when a third of it has passed. Return whether it was."""
        if self.cursor == self._stored and self._age() < self._seconds / 3:
            return False
        await self._renew()
        return True

    async def hold(self) -> None:
        """Renew the lease when a third of it has passed, as after a pause of this process: it may be another's now."""
        if self._age() >= self._seconds / 3:
            await self._renew()

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._renewed_at

    async def _renew(self) -> None:
        if await execute(self._connection, _KEEP, self.cursor, self._seconds, self.token) != 1:
            raise FencedError("another relay has taken the lease")
        self._stored = self.cursor
        self._renewed_at = asyncio.get_running_loop().time()

    async def keep_during(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes as long as the brokers take, and keep the lease meanwhile."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=self._seconds / 6))[0]:
                await self.keep()
        except BaseException:
            task.cancel()  # the producer is of no use after that: the relay drops it
            await asyncio.wait({task})
            raise
        task.result()

    async def release(self) -> None:
        """Let another relay begin at once, behind what was published."""
        await self.keep()
        await self._connection.execute(_RELEASE, {"token": self.token})
