"""Deadlines for calls that may not heed a cancellation: some of a Kafka client's swallow it and would hang a stop.

And some have no end of their own, as the wait for partitions while a dead member of the group is still waited for.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from kit.logging import get_logger

log = get_logger(__name__)

Result = TypeVar("Result")

_CLOSED_UNDER_IT: Final = "the handler is closed"  # uvloop, to whoever writes to a connection that is gone


async def within(seconds: float, work: Coroutine[Any, Any, Result], what: str) -> Result:
    """Wait for ``work`` for so long and no longer; raise TimeoutError and leave it behind, cancelled, if it is late.

    Also when it is cancelled from within, as a client does that is in trouble: the caller was not, and a loop that took
    it for its own end would end without a word. A connection that was closed under the client is a ConnectionError.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _leave_behind(task)
        raise
    if task.cancelled():
        raise TimeoutError(f"{what} was given up by the client itself")
    if done:
        try:
            return task.result()
        except RuntimeError as error:
            if _CLOSED_UNDER_IT in str(error):
                raise ConnectionError(f"{what}: {error}") from error
            raise
    _leave_behind(task)
    log.warning("left_behind", what=what, after_seconds=seconds)
    raise TimeoutError(f"{what} took longer than {seconds:g} s")


class StoppingError(Exception):
    """What was waited for is not wanted any more: the process stops."""


async def unless(stopping: "asyncio.Future[Any]", work: Coroutine[Any, Any, Result]) -> Result:
    """Wait for ``work``; when ``stopping`` is done first leave it behind, cancelled, and raise StoppingError."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        _leave_behind(task)
        raise
    if task.done():
        return task.result()
    _leave_behind(task)
    raise StoppingError


def _leave_behind(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    task.add_done_callback(lambda late: None if late.cancelled() else late.exception())
