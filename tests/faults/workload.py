"""You are at the load: one company after the other applies, waits for its award and claims on it."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from stack.simulators.asks import ask
from stack.simulators.calls import OutsiderError
from stack.simulators.population import Role, company
from stack.simulators.portal import _KEYS as PORTAL_KEYS
from stack.simulators.portal import Portal
from stack.simulators.views import ApplicationView
from tests.faults.portal import LoggedCaller

AT_ONCE: Final = 300
_FIRST_LOOK_SECONDS: Final = 1.0
_LONGEST_LOOK_SECONDS: Final = 8.0
_HELD_SECONDS: Final = 60.0
_AT_ONCE_SHARE: Final = 0.88  # of the portal's companies: the others make a draft first, or withdraw
_DECIDED: Final = frozenset({"awarded", "rejected", "withdrawn", "lapsed", "waitlisted"})
# Companies that measure how soon the system works again come from here on, poison speaks of those from there on.
PROBES_FROM: Final = 500_000
STRANGERS_FROM: Final = 900_000


class Workload:
    """Sends ``per_second`` applications a second, which may change, until ``stop``; then finishes what has begun."""

    def __init__(self, caller: LoggedCaller, seed: int, today: date, *, per_second: float, at_most: int) -> None:
        self.portal = Portal(caller, seed, today)
        self.sent = 0
        self.ended = 0
        self.left: list[str] = []
        self.stop = asyncio.Event()
        self._caller = caller
        self._seed = seed
        self._today = today
        self.per_second = per_second
        self._at_most = at_most
        self._asides: set[asyncio.Task[float | None]] = set()
        self._probes: Iterator[int] = iter(range(PROBES_FROM, STRANGERS_FROM))

    async def run(self) -> None:
        """Keep the pace whatever the answers do: a system that is away meets a crowd when it comes back."""
        looked, due = time.monotonic(), 0.0
        async with asyncio.TaskGroup() as companies:
            while self.sent < self._at_most and not self.stop.is_set():
                due += (time.monotonic() - looked) * self.per_second
                looked = time.monotonic()
                while self.sent < min(due, self._at_most) and self.sent - self.ended < AT_ONCE:
                    companies.create_task(self._live(self.sent))
                    self.sent += 1
                await asyncio.sleep(0.05)

    async def probe(self, patience_seconds: float) -> float | None:
        """Return how long one more application takes from being sent to its decision; None when too long."""
        return await self._probed(self._next_prober(), patience_seconds)

    async def probe_held(self, hold: Callable[[str], Coroutine[Any, Any, str]]) -> str:
        """Send one application while ``hold`` does something to its Idempotency-Key; return what that says."""
        index = self._next_prober()
        uscc = company(self._seed, index).uscc
        holding = asyncio.create_task(hold(str(uuid5(PORTAL_KEYS, f" {self._seed} {uscc} application"))))
        self._send_aside(index)
        return await holding

    def send_one(self) -> None:
        """Send one more application, so that a fault which needs work to meet does meet some."""
        self._send_aside(self._next_prober())

    def _send_aside(self, index: int) -> None:
        probe = asyncio.create_task(self._probed(index, _HELD_SECONDS))
        self._asides.add(probe)
        probe.add_done_callback(self._asides.discard)

    def _next_prober(self) -> int:
        """An ordinary company that applies at once."""
        return next(index for index in self._probes if self._is_plain(index))

    def _is_plain(self, index: int) -> bool:
        manner = random.Random(f"manner {self._seed} {index}").random()
        return manner < _AT_ONCE_SHARE and company(self._seed, index).role is Role.ORDINARY

    async def _probed(self, index: int, patience_seconds: float) -> float | None:
        began = time.monotonic()
        self.sent += 1
        try:
            async with asyncio.timeout(patience_seconds):
                state = await self._apply(index)
        except (TimeoutError, OutsiderError):
            return None
        finally:
            self.ended += 1
        return time.monotonic() - began if state else None

    async def _live(self, index: int) -> None:
        try:
            state = await self._apply(index)
            if state and state.award and state.status == "awarded":
                await self.portal.claim(state.application_id, state.award.award_id)
        except OutsiderError as error:
            self.left.append(f"company {index}: {error}")
        finally:
            self.ended += 1

    async def _apply(self, index: int) -> ApplicationView | None:
        asked = ask(self._seed, company(self._seed, index), self._today)
        await self.portal.apply(asked)
        accepted = self.portal.told.accepted
        application_id = next((key for key in reversed(accepted) if accepted[key] is asked), None)
        return await self._decided(application_id) if application_id else None

    async def _decided(self, application_id: UUID) -> ApplicationView | None:
        pause = _FIRST_LOOK_SECONDS / 4 if application_id.int % 2 else _FIRST_LOOK_SECONDS
        while not self._caller.closing.is_set():
            body = await self._caller.read(f"/v1/applications/{application_id}")
            state = msgspec.json.decode(body, type=ApplicationView)
            if state.status in _DECIDED:
                return state
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_LOOK_SECONDS)
        return None
