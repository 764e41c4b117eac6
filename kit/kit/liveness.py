"""Liveness: a consumer with work to do that finishes none of it for too long is stuck, and a restart is its cure.

Only if the database and the brokers answer, each asked on a connection of its own: a restart does not bring them back.
"""

import asyncio
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from kit.backoff import wait
from kit.database import describe
from kit.errors import TransientError
from kit.lag import Lags
from kit.logging import get_logger

log = get_logger(__name__)

_LOOKS_IN_LIMIT: Final = 12


class Liveness:
    """Judges a consumer by its progress. ``stuck`` says why it has to be started again, or is None."""

    def __init__(self, lags: Lags, limit_seconds: float) -> None:
        self._lags = lags
        self._limit_seconds = limit_seconds
        self._progressed_at: float | None = None
        self.stuck: str | None = None

    def progressed(self) -> None:
        """Note that a batch was finished, or that there is nothing to do."""
        self._progressed_at = asyncio.get_running_loop().time()

    async def run(self, stop: asyncio.Event) -> None:
        """Judge again and again until ``stop``."""
        self.progressed()
        while not await wait(stop, self._limit_seconds / _LOOKS_IN_LIMIT):
            found = await self._judge()
            if found and not self.stuck:
                log.critical("consumer_stuck", reason=found)
            self.stuck = found

    async def _judge(self) -> str | None:
        silent_seconds = self._silent_seconds()
        if silent_seconds < self._limit_seconds:
            return None
        try:
            behind = sum(lag.lag for lag in await self._lags.read(pooled=False))
        except (SQLAlchemyError, OSError, TimeoutError, TransientError) as error:
            log.info("no_progress_is_no_fault_here", seconds=round(silent_seconds), reason=describe(error))
            return None
        if not behind or self._silent_seconds() < self._limit_seconds:
            return None
        return f"{behind} events wait and no batch was finished for {silent_seconds:.0f} s: start this process again"

    def _silent_seconds(self) -> float:
        assert self._progressed_at is not None, "run() comes first"
        return asyncio.get_running_loop().time() - self._progressed_at
