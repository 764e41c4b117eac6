"""The door that every call goes through: so many in one turn of the event loop, the others in a line.

A crowd's calls are read all at once, and each costs the loop near a millisecond before it waits for anything. Without a
door, a thousand of them are one turn of a second, and whoever needs several turns, such as the writer with its round
trips to PostgreSQL, does a few steps in the time in which the callers' patience ends. So a turn is kept short, whoever
came first goes first, and who would wait too long is told so at once: nothing of that call is done.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from kit import meters
from kit.errors import OverloadedError
from kit.settings import ServiceSettings

UNHINDERED: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""What whoever watches asks: it is answered however long the line is."""

AT_ONCE: Final = 16  # some 10 ms of a turn
_JUDGED_EVERY_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = (1.0, 20.0)  # and up to three times as long, each its own, so that no crowd comes back as one


class Away:
    """For how long those are to stay away who are refused: twice as long while most come in vain, half when few do.

    A refusal costs a fifth of a millisecond. A crowd that comes back every two seconds to a service that is slow, or
    shares its processor, keeps it busy with refusals and nothing else.
    """

    def __init__(self) -> None:
        self._seconds, self._longest = _AWAY_SECONDS
        self._shortest = self._seconds
        self._judged_at = -math.inf
        self._let_in = self._refused = 0

    def let_in(self) -> None:
        self._let_in += 1

    def in_vain(self) -> None:
        self._let_in -= 1

    def refused(self, now: float) -> OverloadedError:
        """Return what the refused is told."""
        if now - self._judged_at >= _JUDGED_EVERY_SECONDS:
            self._judge(now)
        self._refused += 1
        return OverloadedError(random.randint(math.ceil(self._seconds), math.ceil(3 * self._seconds)))  # noqa: S311

    def _judge(self, now: float) -> None:
        if now - self._judged_at > 3 * self._longest:  # nobody was refused for long
            self._seconds = self._shortest
        elif self._refused > self._let_in:
            self._seconds = min(2 * self._seconds, self._longest)
        elif 4 * self._refused < self._let_in:
            self._seconds = max(self._seconds / 2, self._shortest)
        self._judged_at, self._let_in, self._refused = now, 0, 0


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
        self._away = Away()

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Door":
        """Return the door that the settings say."""
        return cls(most=settings.http_line_size, seconds=settings.http_line_seconds)

    async def enter(self, scope: MutableMapping[str, Any]) -> None:
        """Return when the call may begin. Raises OverloadedError when it would wait, or has waited, too long."""
        if scope["path"] in UNHINDERED:
            return
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, loop)
        if self._entered < self._at_once and not self._line:
            self._enter()
            return
        now = self._now(loop)
        if len(self._line) >= self._most or (self._line and now - self._line[0][0] > self._seconds):
            raise self._away.refused(now)
        place: asyncio.Future[None] = loop.create_future()
        self._line.append((now, place))
        await place

    def refused_inside(self) -> OverloadedError:
        """Return what a call is told that was let in and then refused by a line further in, such as the writer's."""
        self._away.in_vain()
        return self._away.refused(self._now(asyncio.get_running_loop()))

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """A new turn: let the next ones in, and send away who has waited too long."""
        now, self._entered = self._now(loop), 0
        while self._line and self._entered < self._at_once:
            since, place = self._line.popleft()
            if place.done():
                continue  # the caller has gone
            if now - since > self._seconds:
                place.set_exception(self._away.refused(now))
                continue
            place.set_result(None)
            self._enter()
        meters.HTTP_LINE.set(len(self._line))
        self._turning = self._entered > 0
        if self._turning:
            loop.call_soon(self._turn, loop)

    def _enter(self) -> None:
        self._entered += 1
        self._away.let_in()

    def _now(self, loop: asyncio.AbstractEventLoop) -> float:
        return self._clock() if self._clock else loop.time()
