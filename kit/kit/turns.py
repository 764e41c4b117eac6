"""Work on many things, a few at a time: between them the process's other loops have their turn.

Whoever works for 10 ms at a stretch does not stop the others for 10 ms only: a batch that waits for PostgreSQL a dozen
times loses its turn each time it comes back.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_AT_ONCE: Final = 10


async def in_turns(things: Sequence[T], at_once: int = _AT_ONCE) -> AsyncIterator[Sequence[T]]:
    """Yield all of them, in their order, so many at once: what takes a millisecond at most."""
    for begin in range(0, len(things), at_once):
        yield things[begin : begin + at_once]
        await asyncio.sleep(0)
