"""Clocks: whoever waits has a deadline on the database's clock; a missed one is found here and its step is taken.

A service keeps the deadline in the row of what waits (``due_at``), so that the transaction that moves it on stops its
clock, and nothing can fire that was stopped. One scanner per database has its turn at a time; it looks what is due,
and the service takes the step in the scanner's transaction: the locks, the change and the outbox of any event.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from prometheus_client import Counter, Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox, tracing
from kit.backoff import Backoff, wait
from kit.database import Database, describe, is_transient
from kit.following import log_said
from kit.logging import get_logger
from kit.outbox import Announcements

log = get_logger(__name__)

MISSED: Final = Counter("drawdown_clocks_missed", "Deadlines that were missed, by what was waited for", ["kind"])
FAILED: Final = Counter("drawdown_clocks_failed", "Steps of missed deadlines that failed; each is tried again")
OPEN: Final = Gauge("drawdown_clocks_open", "What waits with a deadline, missed or not", ["kind"])
OVERDUE: Final = Gauge(
    "drawdown_clocks_oldest_overdue_seconds", "Since when the oldest missed deadline is over, else 0", ["kind"]
)

LOOK_EVERY_SECONDS: Final = 1.0
GAUGE_EVERY_SECONDS: Final = 15.0
_ASIDE_SECONDS: Final = 60.0

_NOW: Final = text("SELECT now()")
_TURN: Final = text("SELECT now() AS now, pg_try_advisory_xact_lock(7201454) AS ours")

S = TypeVar("S", bound=Hashable)


class Missed(msgspec.Struct):
    """What a transaction did about missed deadlines: what it has to say, and the kind of each."""

    said: Announcements
    kinds: list[str]


class Waiting(msgspec.Struct, frozen=True):
    """How many wait for one thing, and the earliest of their deadlines."""

    open: int
    earliest_due: datetime


class Deadlines(Protocol[S]):
    """A service's deadlines. ``S`` names one of its subjects."""

    @property
    def kinds(self) -> Sequence[str]:
        """Return everything that this service waits for."""

    async def due(self, connection: AsyncConnection, now: datetime, limit: int) -> Sequence[S]:
        """Return the subjects whose deadline has passed and whose step is not taken, the longest overdue first."""

    async def miss(self, connection: AsyncConnection, subjects: Sequence[S], now: datetime) -> Missed:
        """Lock the subjects, take the step of each that is still overdue, store it."""

    async def waiting(self, connection: AsyncConnection) -> Mapping[str, Waiting]:
        """Return what waits now, by kind."""


class Scanner(Generic[S]):
    """Finds missed deadlines until stopped; calls ``committed`` when there may be something to relay."""

    def __init__(
        self,
        database: Database,
        deadlines: Deadlines[S],
        *,
        committed: Callable[[], None] = lambda: None,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
        batch_size: int = 100,
    ) -> None:
        self._database = database
        self._deadlines = deadlines
        self._committed = committed
        self._look_every_seconds = look_every_seconds
        self._batch_size = batch_size
        self._aside: dict[S, float] = {}
        self._measured_at = float("-inf")
        for kind in deadlines.kinds:
            MISSED.labels(kind)  # from 0 on, or the first one missed would be no increase

    async def run(self, stop: asyncio.Event) -> None:
        """Scan until ``stop``; a database that is away is waited for, anything else ends the process loudly."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                taken = await self.scan()
                await self._measure()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("clocks_wait", reason=describe(error), error_class=type(error).__name__)
                await backoff.pause(stop)
                continue
            backoff.reset()
            if taken < self._batch_size:
                await wait(stop, self._look_every_seconds)

    async def scan(self) -> int:
        """Take the steps of one batch of missed deadlines; return how many were taken."""
        due = await self._due()
        try:
            return await self._take(due)
        except Exception as error:
            if is_transient(error):
                raise
            log.exception("clocks_batch_failed", subjects=len(due))
            return sum([await self._take_alone(subject) for subject in due])

    async def _due(self) -> list[S]:
        """Look what is due, without a lock; leave out what failed a moment ago, so that it holds up nobody."""
        moment = asyncio.get_running_loop().time()
        self._aside = {subject: until for subject, until in self._aside.items() if until > moment}
        async with self._database.reading() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            found = await self._deadlines.due(connection, now, self._batch_size + len(self._aside))
        return [subject for subject in found if subject not in self._aside][: self._batch_size]

    async def _take(self, subjects: Sequence[S]) -> int:
        """Take these steps in one transaction, or none: what moved on since, and what others took, is left alone."""
        if not subjects:
            return 0
        async with self._database.transaction() as connection:
            turn = (await connection.execute(_TURN)).one()
            if not turn.ours:
                return 0
            with tracing.Work():
                missed = await self._deadlines.miss(connection, subjects, turn.now)
            await outbox.add(connection, missed.said)
        self._committed()
        log_said(missed.said)
        for kind in missed.kinds:
            MISSED.labels(kind).inc()
        return len(missed.kinds)

    async def _take_alone(self, subject: S) -> int:
        try:
            return await self._take([subject])
        except Exception as error:
            if is_transient(error):
                raise
            FAILED.inc()
            self._aside[subject] = asyncio.get_running_loop().time() + _ASIDE_SECONDS
            log.exception("clock_failed", subject=str(subject))
            return 0

    async def _measure(self) -> None:
        """Set the gauges from the database, so that every process shows the same."""
        moment = asyncio.get_running_loop().time()
        if moment - self._measured_at < GAUGE_EVERY_SECONDS:
            return
        async with self._database.reading() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            waiting = await self._deadlines.waiting(connection)
        self._measured_at = moment
        for kind in self._deadlines.kinds:
            found = waiting.get(kind)
            OPEN.labels(kind).set(found.open if found else 0)
            overdue = (now - found.earliest_due).total_seconds() if found else 0.0
            OVERDUE.labels(kind).set(max(0.0, overdue))
