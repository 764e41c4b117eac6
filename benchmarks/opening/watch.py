"""What is looked at while the crowd is there: how far the applications are, and how much memory each service has."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec
import psutil

EVERY_SECONDS: Final = 0.5
SETTLING_SECONDS: Final = 5.0
"""As long as a service writes what its callers no longer wait for."""
UNDECIDED: Final = frozenset({"submitted", "assessing", "clarifying"})
ON_ITS_WAY: Final = UNDECIDED | {"approved"}
"""Decided on merit, and the money is not: the award, or the place on the waitlist, is on its way."""


class Look(msgspec.Struct, frozen=True):
    """How many applications the portal is shown in each status, so many seconds after the opening."""

    seconds: float
    statuses: dict[str, int]

    @property
    def submitted(self) -> int:
        return sum(self.statuses.values())

    @property
    def decided(self) -> int:
        """Those whose end the portal shows: awarded, waitlisted, rejected, or with a person."""
        return sum(count for status, count in self.statuses.items() if status not in ON_ITS_WAY)

    @property
    def assessed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status not in UNDECIDED)


class Progress:
    """Looks into intake's database, as cheap as a look can be, until told to stop."""

    def __init__(self, dsn: str, opening: float) -> None:
        self._dsn = dsn
        self._opening = opening
        self.looks: list[Look] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Look twice a second."""
        connection = await asyncpg.connect(self._dsn)
        try:
            while not stop.is_set():
                rows = await connection.fetch("SELECT status, count(*) FROM applications GROUP BY status")
                self.looks.append(Look(time.monotonic() - self._opening, {row[0]: row[1] for row in rows}))
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            await connection.close()

    async def until_decided(self, deadline_seconds: float) -> None:
        """Wait until nothing is on its way, for so long after the opening at most.

        What was seen until now does not count: callers who hung up may have left something that is being written still.
        """
        begins = time.monotonic() - self._opening + SETTLING_SECONDS
        while not self.looks or self.looks[-1].seconds < begins or self.looks[-1].submitted != self.looks[-1].decided:
            if time.monotonic() - self._opening > deadline_seconds:
                return
            await asyncio.sleep(EVERY_SECONDS)

    def share_within(self, seconds: float, of: int) -> float:
        """Return which share of ``of`` applications was decided so long after the opening, rounded down."""
        decided = [look.decided for look in self.looks if look.seconds <= seconds]
        return int(max(decided, default=0) / of * 10_000) / 10_000

    def seconds_until(self, count: int) -> float | None:
        """Return how long after the opening so many were decided; None when they never were."""
        return next((round(look.seconds, 1) for look in self.looks if look.decided >= count), None)


class Memory:
    """The largest resident set of each process, in MB of 10^6 bytes. ``pids`` are asked for again: one may be new."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}

    def look(self, pids: Mapping[str, int]) -> None:
        for name, pid in pids.items():
            try:
                resident = psutil.Process(pid).memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue  # it was killed since we asked
            self.peaks[name] = max(self.peaks.get(name, 0.0), round(resident, 1))
