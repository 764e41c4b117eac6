"""A circuit breaker: after several failures in a row a register is left alone for a while, then tried by one call."""

from collections.abc import Callable


class Breaker:
    """Counts failures in a row. ``clock`` gives monotonic seconds."""

    def __init__(self, *, failures_to_open: int, open_seconds: float, clock: Callable[[], float]) -> None:
        self._failures_to_open = failures_to_open
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._failures >= self._failures_to_open

    def allows(self) -> bool:
        """Return whether a call may be made. After the pause one call may, as a probe, until it has its result."""
        if not self.is_open:
            return True
        if self._probing or self._clock() < self._open_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self.is_open:
            self._open_until = self._clock() + self._open_seconds

    def abandoned(self) -> None:
        """Say that an allowed call was given up without a result."""
        self._probing = False
