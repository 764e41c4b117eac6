"""Whether the figures are current: does Kafka hold events that they do not count, and since when?

Asked for all the time and not when somebody looks: how long an event waits is known only to who has seen it come.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Literal

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from kit.backoff import wait
from kit.database import describe
from kit.errors import TransientError
from kit.lag import Lag
from kit.logging import get_logger
from metrics.rules.behind import Behind

log = get_logger(__name__)

POLL_SECONDS: Final = 4.0
LATE_SECONDS: Final = 10.0  # until then an event is on its way
_KNOWN_SECONDS: Final = 20.0


class Freshness(msgspec.Struct, frozen=True):
    """``late``: this many events have come that are not counted, the first of them ``seconds`` ago (0: not known).

    ``unknown``: Kafka or the database did not say lately what there is to be counted, or a topic was lost.
    """

    state: Literal["current", "late", "unknown"]
    events: int = 0
    seconds: int = 0


UNKNOWN: Final = Freshness("unknown")


class Watch:
    """Keeps an eye on how far the projection is behind. ``read_lags`` reads the lag of its consumer group."""

    def __init__(self, read_lags: Callable[[], Awaitable[Iterable[Lag]]], poll_seconds: float = POLL_SECONDS) -> None:
        self._read_lags = read_lags
        self._poll_seconds = poll_seconds
        self._behind: Behind[tuple[str, int]] = Behind()
        self._seen: tuple[float, Freshness] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until ``stop``."""
        while not stop.is_set():
            try:
                self.note(await self._read_lags(), asyncio.get_running_loop().time())
            except (TransientError, SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("freshness_unknown", reason=describe(error), error_class=type(error).__name__)
            await wait(stop, self._poll_seconds)

    def note(self, lags: Iterable[Lag], now: float) -> None:
        """Take in one look, at ``now`` by a clock that only rises. What waits at the first look is late at once."""
        first = self._seen is None
        late, events, lost = 0.0, 0, False
        for lag in lags:
            seen_at = -math.inf if first else now
            place = (lag.topic, lag.partition)
            self._behind.seconds(place, lag.next_offset, lag.end_offset, seen_at)  # notes when this end was seen
            late = max(late, self._behind.seconds(place, lag.next_offset, lag.end_offset, now))
            events += lag.lag
            lost |= lag.next_offset > lag.end_offset
        self._seen = now, UNKNOWN if lost else _judged(late, events)

    def now(self, now: float) -> Freshness:
        """Return what is known at ``now``: a look that is old says nothing any more."""
        if self._seen is None or now - self._seen[0] > _KNOWN_SECONDS:
            return UNKNOWN
        return self._seen[1]


def _judged(seconds: float, events: int) -> Freshness:
    if events == 0 or seconds < LATE_SECONDS:
        return Freshness("current")
    return Freshness("late", events, int(seconds) if math.isfinite(seconds) else 0)
