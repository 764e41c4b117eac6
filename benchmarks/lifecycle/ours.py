"""Our side: the running stack, with a portal and a bank of the benchmark's own before it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, timedelta
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.harness.cpu import Watch
from benchmarks.harness.remote import Remote
from benchmarks.harness.rounds import Run
from benchmarks.intake.wire import Address
from benchmarks.lifecycle.bank import Bank
from benchmarks.lifecycle.lives import APPLICATIONS_OF_A_COMPANY
from benchmarks.lifecycle.portal import Played, Portal
from benchmarks.lifecycle.programme import POOL
from benchmarks.lifecycle.standing import standing
from stack import issuer
from stack.demo import tokens_of
from stack.ports import LOOPBACK
from stack.processes import Identity
from stack.supervisor import Stack

CONNECTIONS: Final = 64
_REST_SECONDS: Final = 60.0
_LOOK_EVERY_SECONDS: Final = 0.02
_GREETINGS: Final = 60
_GREETING_SECONDS: Final = 0.5
_STATES: Final = ("available", "committed", "obligated", "disbursed")
_TOKEN_LASTS: Final = timedelta(hours=3)
# Of the totals, as Prometheus has it: to count the rows would read more the longer the past is.
_COUNTED: Final = """
SELECT coalesce(sum(value), 0) FROM tallies WHERE name = 'payment_to_settlement' AND label <> 'sum_microseconds'
"""


class WrongError(Exception):
    """The books are not what the lives should have made of them; the figures of such a run mean nothing."""


class Ours:
    """Plays lives through the four services."""

    def __init__(
        self, stack: Stack, portal: Remote, bank: Remote, metrics: "asyncpg.Connection[Any]", connections: int
    ) -> None:
        self._stack = stack
        self.portal = portal
        self._bank = bank
        self._metrics = metrics
        self._connections = connections
        self._token = tokens_of(stack.config.home)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, stack: Stack, *, watches_awards: bool = False, connections: int = CONNECTIONS
    ) -> AsyncIterator["Ours"]:
        """Give the side, its portal with so many connections; with ``watches_awards`` it looks at their topic too."""
        token = issuer.mint(
            stack.config.home, subject="portal", scopes=["portal"], client="portal", lifetime=_TOKEN_LASTS
        )
        watched = stack.kafka_bootstrap if watches_awards else ""
        async with AsyncExitStack() as opened:
            portal = await opened.enter_async_context(Remote(Portal.open, token, True, watched))
            bank = await opened.enter_async_context(Remote(Bank.by_kafka, stack.kafka_bootstrap))
            metrics = await asyncpg.connect(stack.postgres.superuser_dsn("metrics"))
            opened.push_async_callback(metrics.close)
            yield cls(stack, portal, bank, metrics, connections)

    async def play(
        self,
        first: int,
        count: int,
        today: date,
        more: Sequence[Address] = (),
        of_a_company: int = APPLICATIONS_OF_A_COMPANY,
    ) -> Run:
        """Play so many lives to the maximum, until all is at rest; raise WrongError unless the books show them.

        ``more`` are addresses of further processes of intake; so many applications ``of_a_company`` come.
        """
        await self.connect(more)
        awarded, paid = await self.portal.call("prepare", first, count, today, of_a_company)
        run, _ = await self._measured(count, lambda _: (awarded, paid), "play")
        return run

    async def begin(self, first: int, count: int, today: date) -> None:
        """Have the portal ready for so many lives that are made when they are due."""
        await self.portal.call("promise", first, count, today)
        await self.connect()

    async def play_on(self, count: int, rate: float) -> tuple[Run, Played]:
        """Let the lives that were begun arrive at ``rate`` a second; wait, check and raise as ``play`` does."""
        return await self._measured(count, lambda played: (played.awarded, played.paid), "play_on", count, rate)

    async def _measured(
        self, count: int, moved: Callable[[Any], tuple[int, int]], method: str, *args: Any
    ) -> tuple[Run, Any]:
        """Have the portal play, wait until all is at rest and check the books; return the run and what it said.

        ``moved`` returns what was to be awarded and paid, from what it said.
        """
        before = await self._pool("disbursement")
        settled = await self._settled()
        watch = self.watch().start()
        began = time.perf_counter()
        try:
            said = await self.portal.call(method, *args)
        except TimeoutError as error:
            raise WrongError(f"{error}; {await standing(self._stack)}") from error
        await self._until_counted(settled + count)
        run = Run(count, time.perf_counter() - began, watch.stop())
        await self._check(before, *moved(said))
        return run, said

    async def connect(self, more: Sequence[Address] = ()) -> None:
        """Connect the portal anew: intake may be another process than before."""
        await self.portal.call("connect", [(LOOPBACK, self._stack.config.ports.intake), *more], self._connections)

    def watch(self) -> Watch:
        """Return what counts the CPU seconds of all that takes part."""
        known = {name: component.child.identity for name, component in self._stack.components.items()}
        running = {name: one.pid for name, one in known.items() if one is not None and Identity.of(one.pid) == one}
        return Watch(running | {"portal": self.portal.pid, "bank": self._bank.pid})

    async def _settled(self) -> int:
        return int(await self._metrics.fetchval(_COUNTED))

    async def _until_counted(self, settled: int) -> None:
        """Wait until metrics has heard of every payment: the portal heard of all of them before."""
        deadline = time.monotonic() + _REST_SECONDS
        while (found := await self._settled()) < settled:
            if time.monotonic() > deadline:
                raise WrongError(f"metrics counts {found} settled claims, {settled} are")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _pool(self, service: str) -> dict[str, int]:
        headers = {"authorization": f"Bearer {self._token('auditor', 'auditor')}"}
        async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
            for _ in range(_GREETINGS):
                answer = await client.get(f"{self._stack.urls[service]}/v1/pools")
                if answer.is_success:
                    break
                await asyncio.sleep(_GREETING_SECONDS)  # it has not got the issuer's keys yet
        return balances(answer.raise_for_status().json()["items"])

    async def _check(self, before: dict[str, int], awarded: int, paid: int) -> None:
        wanted = expected(before, awarded, paid)
        deadline = time.monotonic() + _REST_SECONDS
        while (found := [await self._pool(service) for service in ("disbursement", "metrics")]) != [wanted, wanted]:
            if time.monotonic() > deadline:
                raise WrongError(f"the pool should be {wanted}; disbursement and metrics say {found}")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


def balances(pools: list[dict[str, Any]]) -> dict[str, int]:
    [found] = [pool for pool in pools if pool["pool"] == POOL]
    return {state: found[state]["amount"] for state in _STATES}


def expected(before: dict[str, int], awarded: int, paid: int) -> dict[str, int]:
    """Return a pool's states after lives that were awarded and paid so much."""
    return {
        "available": before["available"] - awarded,
        "committed": before["committed"] + awarded - paid,
        "obligated": before["obligated"],
        "disbursed": before["disbursed"] + paid,
    }
