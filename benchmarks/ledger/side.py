"""A side of the benchmark, in a process of its own: it makes its traffic ready, then handles it against the clock."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, Final

from benchmarks.harness.openloop import Latencies, open_loop
from benchmarks.ledger import traffic
from benchmarks.ledger.traffic import Told
from kit.settings import ServiceSettings

BATCH: Final[int] = ServiceSettings.model_fields["consumer_max_batch_events"].default  # as the services take them


class Side:
    """What ours and the peer's have in common. How it takes what arrives: so many ``workers``, each ``most`` events."""

    workers = 1
    most = BATCH

    def __init__(self, number: int) -> None:
        self._random = Random(number)
        self._ready: list[Told] = []

    async def handle(self, told: Sequence[Told], batch_size: int = BATCH) -> None:
        """Handle events, in order, and have them committed."""
        raise NotImplementedError

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        raise NotImplementedError

    async def prepare(self, kind: str, count: int, pools: Sequence[str]) -> int:
        """Make the next events ready, with what they rest on; return their number."""
        if kind == "mix":
            self._ready = await traffic.mix(self, count, pools, self._random)
        else:
            self._ready = traffic.approvals(count, pools, self._random)
        return len(self._ready)

    async def run(self, batch_size: int = BATCH) -> float:
        """Handle what is ready; return the seconds that it took."""
        with _out_of_sight_of_the_collector():
            began = time.perf_counter()
            await self.handle(self._ready, batch_size)
            return time.perf_counter() - began

    async def open_loop(self, rate: float) -> Latencies:
        """Handle what is ready as it arrives, ``rate`` events a second."""
        with _out_of_sight_of_the_collector():
            return await open_loop(self._ready, rate, self.handle, workers=self.workers, most=self.most)

    async def lives(self, count: int, pools: Sequence[str]) -> None:
        await traffic.lives(self, count, pools, self._random)


@contextmanager
def _out_of_sight_of_the_collector() -> Iterator[None]:
    """Keep what the traffic is made of out of the collector's rounds: a service never holds so much at a time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
