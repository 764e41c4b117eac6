"""The door that every call goes through: so many in one turn of the event loop, the others in a line.

A crowd's calls are read all at once, and each costs the loop near a millisecond before it waits for anything. Without a
door, a thousand of them are one turn of a second, and whoever needs several turns, such as the writer with its round
trips to PostgreSQL, does a few steps in the time in which the callers' patience ends. So a turn is kept short, whoever
came first goes first, and who would wait too long is told so at once: nothing of that call is done.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from kit import meters
from kit.errors import OverloadedError
from kit.settings import ServiceSettings

UNHINDERED: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""What whoever watches asks: it is answered however long the line is."""

AT_ONCE: Final = 16  # some 10 ms of a turn


class Door:
    """Lets calls in. ``most`` may wait, for ``seconds`` at most; ``clock`` gives seconds that only rise."""

    def __init__(self, *, most: int, seconds: float, at_once: int = AT_ONCE, clock: Callable[[], float] | None = None):
        self._most = most
        self._seconds = seconds
        self._at_once = at_once
        self._clock = clock
        self._line: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._entered = 0
        self._turning = False

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Door":
        """Return the door that the settings say."""
        return cls(most=settings.http_line_size, seconds=settings.http_line_seconds)

    async def enter(self, scope: dict[str, Any]) -> None:
        """Return when the call may begin. Raises OverloadedError when it would wait, or has waited, too long."""
        if scope["path"] in UNHINDERED:
            return
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, loop)
        if self._entered < self._at_once and not self._line:
            self._entered += 1
            return
        now = self._now(loop)
        if len(self._line) >= self._most or (self._line and now - self._line[0][0] > self._seconds):
            raise OverloadedError
        place: asyncio.Future[None] = loop.create_future()
        self._line.append((now, place))
        await place

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """A new turn: let the next ones in, and send away who has waited too long."""
        now, self._entered = self._now(loop), 0
        while self._line and self._entered < self._at_once:
            since, place = self._line.popleft()
            if place.done():
                continue  # the caller has gone
            if now - since > self._seconds:
                place.set_exception(OverloadedError())
                continue
            place.set_result(None)
            self._entered += 1
        meters.HTTP_LINE.set(len(self._line))
        self._turning = self._entered > 0
        if self._turning:
            loop.call_soon(self._turn, loop)

    def _now(self, loop: asyncio.AbstractEventLoop) -> float:
        return self._clock() if self._clock else loop.time()
