"""When a pool will be exhausted, if what was promised lately goes on. A straight line: it claims no more than that."""

from datetime import date, datetime, timedelta
from typing import Final

import msgspec

WINDOW_DAYS: Final = 90  # long enough for a window's rush to even out, short enough to follow a new scheme
LEAST_DAYS: Final = 7  # a line through fewer days says more about weekdays than about money


class Pace(msgspec.Struct, frozen=True):
    """What left a pool's ``available`` (net of what came back) in the window, and the pool's first such day."""

    pool: str
    promised: int
    first_day: date


def window_start(today: date) -> date:
    """Return the first day that a forecast made today looks at."""
    return today - timedelta(days=WINDOW_DAYS - 1)


def exhaustion(available: int, pace: Pace | None, now: datetime) -> datetime | None:
    """Return when ``available`` reaches zero at this pace.

    None when that can't be said: nothing was promised on balance, the history is too short, or the line ends
    beyond the calendar.
    """
    if pace is None or pace.promised <= 0:
        return None
    days = (now.date() - max(pace.first_day, window_start(now.date()))).days + 1
    if days < LEAST_DAYS:
        return None
    try:
        return now + timedelta(days=max(0, available) * days / pace.promised)
    except OverflowError:
        return None
