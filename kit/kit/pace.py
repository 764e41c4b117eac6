"""A pace: batches begin no closer together than so, and what comes meanwhile goes with the next one.

A batch costs a dozen statements and a commit, whether it has one event or a hundred. Under load small ones follow each
other without a pause, and most of the work is the dozen statements; with a few milliseconds between their beginnings
they are fewer and larger. What comes after a pause begins at once: nothing waits that comes alone.
"""

import asyncio


class Pace:
    """``seconds`` from the beginning of a batch to that of the next at least; 0 for none."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._next = 0.0

    async def keep(self) -> bool:
        """Begin a batch when it is time; return whether it was waited for, so that more may have come."""
        loop = asyncio.get_running_loop()
        left = self._next - loop.time()
        if left > 0:
            await asyncio.sleep(left)
        self._next = loop.time() + self._seconds
        return left > 0
