"""Deadlines for calls that may not heed a cancellation: some of a Kafka client's swallow it and would hang a stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from kit.logging import get_logger

log = get_logger(__name__)


async def within(seconds: float, work: Coroutine[Any, Any, Any], what: str) -> None:
    """Wait for ``work`` for so long and no longer; raise TimeoutError and leave it behind, cancelled, if it is late."""
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if done:
        task.result()
        return
    task.cancel()
    task.add_done_callback(lambda late: None if late.cancelled() else late.exception())
    log.warning("left_behind", what=what, after_seconds=seconds)
    raise TimeoutError(f"{what} took longer than {seconds:g} s")
