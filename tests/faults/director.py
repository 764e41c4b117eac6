"""You are at the play: faults are drawn from the deck by the seed and happen under load, two at a time at most."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import asyncpg
import psutil

from stack.errors import StackError
from tests.faults.machine import usage
from tests.faults.sabotage import Fault, NotHappenedError, Saboteur
from tests.faults.workload import Workload

_PAUSE_SECONDS: Final = (0.5, 3.0)
_HANDS: Final = 2
_TRIED_FOR_SECONDS: Final = 75.0  # as long as PostgreSQL may be away when its disk was full
_SHARE_AT_THE_BEGINNING: Final = 0.5
_RETRY_SECONDS: Final = 4.0
_CALM_SECONDS: Final = 4.0
_CALM_WITHIN_SECONDS: Final = 60.0
_LOOKED_FOR: Final = (NotHappenedError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, psutil.Error)


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One fault that was played. ``back`` is how long an application took when it was over; ``alone`` says that no
    other fault was under way until then, so that the time is this fault's own.
    """

    fault: Fault
    began: float
    seconds: float
    proof: str | None
    why_not: str = ""
    back: float | None = None
    alone: bool = False
    crowded: float = 0.0
    """The share of the machine that others took meanwhile."""


class Director:
    """Plays faults until the time is up. ``happened`` holds all of them, in the order of their ends."""

    def __init__(
        self, by: Saboteur, workload: Workload, deck: Sequence[Fault], seed: int, patience_seconds: float
    ) -> None:
        self.happened: list[Happened] = []
        self._by = by
        self._workload = workload
        self._deck = tuple(deck)
        self._seed = seed
        self._patience_seconds = patience_seconds
        self._random = random.Random(f"director {seed}")
        self._cards: list[Fault] = []
        self._under_way = 0
        self._begun = 0
        self._probes: set[asyncio.Task[None]] = set()

    async def play(self, seconds: float) -> None:
        """Play for so long; return when the last fault is over and its recovery was measured."""
        ends = time.monotonic() + seconds
        async with asyncio.TaskGroup() as hands:
            for number in range(_HANDS if self._deck else 0):
                hands.create_task(self._hand(ends, number))
        await self._settle()

    async def begin_with(self, faults: Sequence[Fault]) -> None:
        """Play these one by one, before anything else is broken, at half the load.

        An upgrade starts each service anew beside the old one: two processors that are busy with the load alone would
        measure how long a program takes to be read, not how soon the system works again.
        """
        usual = self._workload.per_second
        self._workload.per_second = usual * _SHARE_AT_THE_BEGINNING
        for fault in faults:
            await self._until_calm()
            await self._one(fault)
            await self._settle()
        self._workload.per_second = usual

    async def play_alone(self, names: Sequence[str]) -> None:
        """Play these faults one by one, each once the system is calm, and measure how soon it works again."""
        for fault in (fault for fault in self._deck if fault.name in names):
            await self._until_calm()
            await self._one(fault)
            await self._settle()

    async def _settle(self) -> None:
        if self._probes:
            await asyncio.wait(self._probes)

    async def _until_calm(self) -> None:
        """Send applications until one passes quickly, for a while at most."""
        ends = time.monotonic() + _CALM_WITHIN_SECONDS
        while time.monotonic() < ends:
            passed = await self._workload.probe(self._patience_seconds)
            if passed is not None and passed < _CALM_SECONDS:
                return

    async def _hand(self, ends: float, number: int) -> None:
        chance = random.Random(f"pauses {self._random.random()} {number}")
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(left, chance.uniform(*_PAUSE_SECONDS)))
            if time.monotonic() < ends:
                await self._one(self._draw())

    def _draw(self) -> Fault:
        """Deal out every card once, shuffled, before any comes again; the first round takes each form once."""
        if not self._cards:
            again = bool(self.happened)
            self._cards = [fault for fault in self._deck for _ in range(fault.weight if again else 1)]
            self._random.shuffle(self._cards)
        return self._cards.pop()

    async def _one(self, fault: Fault) -> None:
        began, self._under_way, self._begun = time.time(), self._under_way + 1, self._begun + 1
        others = self._under_way - 1
        proof, why_not = None, ""
        by = replace(self._by, random=random.Random(f"fault {self._seed} {self._begun}"))
        while proof is None and time.time() - began < _TRIED_FOR_SECONDS:
            try:
                proof = await fault.act(by)
            except _LOOKED_FOR as error:  # another fault was in its way: it may be tried again
                why_not = f"{type(error).__name__}: {error}"
                await asyncio.sleep(_RETRY_SECONDS)
            except StackError as error:
                why_not = f"{error}"
                break
        self._under_way -= 1
        said = f"{fault.kind} {fault.name}: {proof or 'DID NOT HAPPEN: ' + why_not}"
        print(f"  {time.strftime('%H:%M:%S')} {said}", flush=True)
        over = Happened(fault=fault, began=began, seconds=time.time() - began, proof=proof, why_not=why_not)
        if proof is None:
            self.happened.append(over)
        else:
            probe = asyncio.create_task(self._measure(over, others, self._begun))
            self._probes.add(probe)
            probe.add_done_callback(self._probes.discard)

    async def _measure(self, over: Happened, others: int, begun: int) -> None:
        """Send one application through the whole system, and time it."""
        before = usage()
        back = await self._workload.probe(self._patience_seconds)
        alone = others == 0 and self._under_way == 0 and self._begun == begun
        self.happened.append(
            Happened(
                **{**over.__dict__, "back": back, "alone": alone, "crowded": usage().taken_by_others_since(before)}
            )
        )
