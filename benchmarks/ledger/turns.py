"""The sides' turns: make traffic ready, start the clocks, run, stop the clocks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from math import ceil
from typing import Final

from benchmarks.harness.cpu import Watch
from benchmarks.harness.remote import Remote
from benchmarks.harness.rounds import Run
from benchmarks.ledger.side import BATCH

_WARM_UP: Final = 300  # events


class Turn:
    """A side's turn: ``processes`` handle ``kind`` of traffic on ``pools`` together.

    The first turn is small; each later one has as many events as take ``seconds`` at the rate of the one before.
    """

    def __init__(
        self,
        processes: Mapping[str, Remote],
        postgres_pid: int,
        *,
        kind: str,
        pools: Sequence[str],
        seconds: float,
        batch_size: int = BATCH,
        prepared: Iterable[Callable[[], Awaitable[object]]] = (),
    ) -> None:
        self._processes = processes
        self._watch = Watch({name: side.pid for name, side in processes.items()} | {"postgres": postgres_pid})
        self._traffic = (kind, list(pools))
        self._seconds = seconds
        self._prepared = list(prepared)
        self._next = max(_WARM_UP, batch_size)
        self.batch_size = batch_size
        self.units = 0

    async def __call__(self, _round: int) -> Run:
        sides, (kind, pools) = list(self._processes.values()), self._traffic
        share = ceil(self._next / len(sides))
        self.units = sum([await side.call("prepare", kind, share, pools) for side in sides])
        for follow in self._prepared:
            await follow()
        self._watch.start()
        seconds = max(await asyncio.gather(*(side.call("run", self.batch_size) for side in sides)))
        run = Run(self.units, seconds, self._watch.stop())
        self._next = self._whole_batches(run.rate * self._seconds) * len(sides)
        return run

    def _whole_batches(self, units: float) -> int:
        per_process = units / len(self._processes)
        return max(1, round(per_process / self.batch_size)) * self.batch_size


class FloorTurn:
    """The floor's turn: write what ours has just written."""

    def __init__(self, floor: Remote, postgres_pid: int, ours: Turn) -> None:
        self._floor = floor
        self._ours = ours
        self._watch = Watch({"floor": floor.pid, "postgres": postgres_pid})

    async def __call__(self, _round: int) -> Run:
        await self._floor.call("capture", ceil(self._ours.units / self._ours.batch_size))
        self._watch.start()
        seconds = await self._floor.call("run")
        return Run(self._ours.units, seconds, self._watch.stop())
