"""The connections on which HTTP callers are answered: apart from the loops', few, and refused rather than waited for.

A caller who waits for a connection until its own time-out comes back at once, and finds a longer line. So the line is
short in number and in time, and who does not fit in is told when to come back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.database import Database
from kit.errors import OverloadedError
from kit.sealing import Keyring
from kit.settings import ServiceSettings

_CONNECT_SECONDS: Final = 2.0


class Callers(Database):
    """The database as HTTP routes use it. All of it raises OverloadedError when too many others use it already."""

    def __init__(self, settings: ServiceSettings, name: str, keyring: Keyring | None = None) -> None:
        super().__init__(
            settings.database_url,
            pool_size=settings.http_pool_size,
            statement_timeout_seconds=settings.http_statement_timeout_seconds,
            wait_seconds=settings.http_wait_seconds,
            connect_seconds=_CONNECT_SECONDS,
            name=name,
            pool="http",
            keyring=keyring,
        )
        self._inside = 0
        self._most_inside = settings.http_pool_size + settings.http_queue_size

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        if self._inside >= self._most_inside:
            raise OverloadedError
        self._inside += 1
        try:
            async with super()._connected() as connection:
                yield connection
        except PoolTimeoutError as error:
            raise OverloadedError from error
        finally:
            self._inside -= 1
