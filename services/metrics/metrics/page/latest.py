"""The figures as last read: one look at the database serves everybody who asks within a second.

Where a look takes long, it serves for ten times as long: however many read the page, the database has a tenth of its
time to spend on it.

While the database is away, what was read before goes on being shown, and is called what it is.
"""

import asyncio
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from kit.database import Database, describe
from kit.errors import OverloadedError, TransientError
from kit.logging import get_logger
from metrics.page import figures
from metrics.page.figures import Figures
from metrics.page.freshness import UNKNOWN, Freshness, Watch
from metrics.programme import Programme

log = get_logger(__name__)

_GOOD_FOR_SECONDS: Final = 1.0
_SHARE: Final = 10


class Shown(msgspec.Struct, frozen=True):
    """What the page says: ``figures`` (None while there never were any), and whether they are current.

    ``readable`` is false while the database does not answer.
    """

    figures: Figures | None
    readable: bool
    freshness: Freshness


class Latest:
    """Reads the figures when somebody asks, at most once a second. Everybody who asks meanwhile waits for that look."""

    def __init__(self, database: Database, programme: Programme, calendar: ZoneInfo, watch: Watch) -> None:
        self._database = database
        self._programme = programme
        self._calendar = calendar
        self._watch = watch
        self._one_reads = asyncio.Lock()
        self._good_until = float("-inf")
        self._figures: Figures | None = None
        self._readable = False

    async def get(self) -> Shown:
        """Return what is to be shown now."""
        loop = asyncio.get_running_loop()
        async with self._one_reads:
            began = loop.time()
            if began >= self._good_until:
                await self._read()
                took = loop.time() - began if self._readable else 0.0
                self._good_until = loop.time() + max(_GOOD_FOR_SECONDS, _SHARE * took)
        return Shown(self._figures, self._readable, self._watch.now(loop.time()) if self._readable else UNKNOWN)

    async def _read(self) -> None:
        try:
            async with self._database.snapshot() as connection:
                found = await figures.read(connection, self._programme, self._calendar)
        except (SQLAlchemyError, OSError, TimeoutError, TransientError, OverloadedError) as error:
            log.warning("page_unreadable", reason=describe(error), error_class=type(error).__name__)
            self._readable = False
            return
        self._readable = True
        if self._figures is None or not _is_still(self._figures, found):
            self._figures = found


def _is_still(known: Figures, found: Figures) -> bool:
    """Return whether the figures stand as they did a moment ago: then so may their time, and nobody loads them anew."""
    return known.as_of.replace(second=0, microsecond=0) == found.as_of.replace(
        second=0, microsecond=0
    ) and known.says_the_same(found)
