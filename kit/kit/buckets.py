"""Token buckets, one per name, in bounded memory: how often somebody may do something, and how much at once.

A bucket is one number, the moment at which it will be full again (the *generic cell rate algorithm* of ITU-T I.371).
A bucket that is full is as good as none, so what nobody used for long is forgotten first. The caller has the clock.
"""

from collections import OrderedDict
from typing import Final

MOST_NAMES: Final = 10_000  # of about 200 bytes each


class Buckets:
    """``rate`` a second for each name in the long run, ``burst`` at once.

    When more than ``most_names`` are used, the one that was left alone the longest begins anew, with a full bucket.
    """

    def __init__(self, rate: float, burst: int, most_names: int = MOST_NAMES) -> None:
        assert rate > 0, "nobody could ever call"
        assert burst >= 1, "nobody could ever call"
        self.rate = rate
        self.burst = burst
        self._interval = 1 / rate
        self._tolerance = (burst - 1) / rate
        self._most_names = most_names
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take one from the bucket and return 0, or take nothing and return the seconds until there is one."""
        full_at = max(self._full_at.get(name, now), now)
        wait = full_at - now - self._tolerance
        if wait > 0:
            return wait
        self._keep(name, full_at + self._interval)
        return 0.0

    def wait(self, name: str, now: float) -> float:
        """Return for how many seconds nothing can be taken; 0 when something can."""
        return max(0.0, self._full_at.get(name, now) - now - self._tolerance)

    def charge(self, name: str, now: float) -> None:
        """Take one for what was done already, even from an empty bucket. The debt is one burst at most."""
        most = now + 2 * self._tolerance + self._interval
        self._keep(name, min(max(self._full_at.get(name, now), now) + self._interval, most))

    def _keep(self, name: str, full_at: float) -> None:
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._most_names:
            self._full_at.popitem(last=False)

    def __len__(self) -> int:
        return len(self._full_at)
