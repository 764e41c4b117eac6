"""A pace: batches begin no closer together than so, and what comes meanwhile goes with the next one.

A batch costs a dozen statements and a commit, whether it has one event or a hundred. Under load small ones follow each
other without a pause, and most of the work is the dozen statements; with a few milliseconds between their beginnings
they are fewer and larger. What comes after a pause begins at once: nothing waits that comes alone.

What nobody waits for may have more patience: it goes with the next batch that somebody waits for, or begins one
itself when so long has passed since the last.
"""

import asyncio


class Pace:
    """Seconds from the beginning of a batch to that of the next at least; 0 for none.

    ``patience``: the same for a batch with nothing that anybody waits for, where that is longer.
    """

    def __init__(self, seconds: float = 0.0, patience: float = 0.0) -> None:
        self._seconds = seconds
        self._patience = max(seconds, patience)
        self._began: float | None = None

    async def keep(self) -> bool:
        """Begin a batch when it is time; return whether it was waited for, so that more may have come."""
        left = self.left()
        if left > 0:
            await asyncio.sleep(left)
        self.begin()
        return left > 0

    def left(self, *, patient: bool = False) -> float:
        """Return the seconds until a batch may begin; 0 or less when it is time."""
        if self._began is None:
            return 0.0
        wanted = self._patience if patient else self._seconds
        return self._began + wanted - asyncio.get_running_loop().time()

    def begin(self) -> None:
        """Say that a batch begins now."""
        self._began = asyncio.get_running_loop().time()
