"""The callers, in a process of their own."""

import asyncio
import gc
from collections.abc import Sequence
from random import Random
from typing import Final, Self

from benchmarks.harness.openloop import Latencies
from benchmarks.intake import traffic
from benchmarks.intake.wire import Address, Crowd

_GREETINGS: Final = 60


class Load:
    """Makes requests ready, then sends them against the clock."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._random = Random(1)
        self._ready: list[bytes] = []
        self._crowd = Crowd(b"201")

    @classmethod
    async def open(cls, tokens: list[str]) -> Self:
        return cls(tokens)

    async def prepare(self, count: int, paths: list[str] | None = None) -> None:
        """Make so many applications ready, or so many reads of these paths."""
        if paths is None:
            self._crowd = self._of(b"201")
            self._ready = traffic.submissions(count, self._tokens, self._random)
        else:
            self._crowd = self._of(b"200")
            self._ready = traffic.reads(paths, count, self._tokens, self._random)

    def _of(self, wanted: bytes) -> Crowd:
        self._crowd.close()
        return Crowd(wanted)

    async def greet(self, addresses: Sequence[Address], paths: list[str] | None = None) -> None:
        """Ask each server for one thing until it answers as it should: from then on it has the issuer's keys."""
        for address in addresses:
            for tries_left in reversed(range(_GREETINGS)):
                await self.prepare(1, paths)
                await self._crowd.connect([address], 1)
                try:
                    await self._crowd.closed_loop(self._ready)
                    break
                except AssertionError:
                    if not tries_left:
                        raise
                    await asyncio.sleep(1)

    async def run(self, addresses: Sequence[Address], connections: int) -> float:
        """Send what is ready as fast as it is answered; return the seconds until the last answer."""
        await self._begin(addresses, connections)
        return await self._crowd.closed_loop(self._ready)

    async def open_loop(self, addresses: Sequence[Address], connections: int, rate: float) -> Latencies:
        """Send what is ready as it arrives, ``rate`` a second."""
        await self._begin(addresses, connections)
        return await self._crowd.open_loop(self._ready, rate)

    async def _begin(self, addresses: Sequence[Address], connections: int) -> None:
        await self._crowd.connect(addresses, connections)
        gc.collect()
        gc.freeze()

    async def last(self) -> bytes:
        """Return the last answer, head and body."""
        return self._crowd.last

    async def close(self) -> None:
        self._crowd.close()
