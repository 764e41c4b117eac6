"""Open loop: work arrives by a schedule, whether or not the one before is done, as people's requests do.

A latency counts from the moment at which the work should have begun, so that a stall is felt by all that waited for
it and not by the one that was under way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import quantiles
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
_TICK_SECONDS: Final = 0.001


class Latencies(msgspec.Struct, frozen=True):
    """How long work took that arrived at ``rate`` a second; ``drain_seconds``: from the last arrival to the end."""

    rate: float
    units: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    late: int
    drain_seconds: float
    p999_ms: float


async def open_loop(
    work: Sequence[T],
    rate: float,
    handle: Callable[[Sequence[T]], Awaitable[Any]],
    *,
    workers: int,
    most: int,
    late_seconds: float = 1.0,
) -> Latencies:
    """Let ``work`` arrive at ``rate`` a second. Each worker takes what waits, at most ``most`` pieces, and handles it.

    Nothing is dropped; ``late`` counts what took longer than ``late_seconds``.
    """
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    taken: list[float] = []
    start = time.perf_counter()

    async def arrive() -> None:
        for number in range(len(work)):
            if (wait := start + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(max(wait, _TICK_SECONDS))
            queue.put_nowait(number)
        for _ in range(workers):
            queue.put_nowait(None)

    async def serve() -> None:
        while (first := await queue.get()) is not None:
            numbers = [first]
            while len(numbers) < most and not queue.empty():
                if (number := queue.get_nowait()) is None:
                    queue.put_nowait(None)
                    break
                numbers.append(number)
            await handle([work[number] for number in numbers])
            done = time.perf_counter()
            taken.extend(done - start - number / rate for number in numbers)

    await asyncio.gather(arrive(), *(serve() for _ in range(workers)))
    return latencies_of(taken, rate, time.perf_counter() - start - len(work) / rate, late_seconds)


def latencies_of(taken: Sequence[float], rate: float, drain_seconds: float, late_seconds: float) -> Latencies:
    """Return what these times amount to, in seconds from when each piece of work should have begun."""
    cuts, longest = quantiles(taken, n=1000), max(taken)  # few pieces of work: a cut may lie beyond all of them
    return Latencies(
        rate=round(rate, 1),
        units=len(taken),
        p50_ms=round(1000 * cuts[499], 2),
        p99_ms=round(1000 * min(cuts[989], longest), 2),
        max_ms=round(1000 * longest, 2),
        late=sum(seconds > late_seconds for seconds in taken),
        drain_seconds=round(drain_seconds, 3),
        p999_ms=round(1000 * min(cuts[998], longest), 2),
    )
