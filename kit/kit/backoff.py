"""Waiting before the next try: longer each time, with jitter, cut short by the stop signal."""

import asyncio
import random


async def wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait until ``stop`` is set or ``seconds`` have passed; return whether to stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


class Backoff:
    """Grows from ``first_seconds`` to ``most_seconds`` by doubling; ``reset`` after a success."""

    def __init__(self, first_seconds: float = 0.1, most_seconds: float = 10.0) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self.attempts = 0

    def next_seconds(self) -> float:
        """Return how long to wait now: between half and all of the doubled time, so that many do not march in step."""
        limit = min(self._most, self._first * (1 << min(self.attempts, 20)))
        self.attempts += 1
        share: float = random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
        return limit * share

    async def pause(self, stop: asyncio.Event) -> bool:
        """Wait for the next try; return whether to stop instead."""
        return await wait(stop, self.next_seconds())

    def reset(self) -> None:
        self.attempts = 0
