"""You are beside one running component: when it dies, whatever the reason, you start it again."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stack.errors import StackError
from stack.processes import Child

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 15.0
STEADY_SECONDS = 30.0
READY_SECONDS = 120.0  # on a machine that does much else at the same time; alone it is 10 s
POLL_SECONDS = 0.1

_log = logging.getLogger(__name__)


@dataclass
class Component:
    """A process, how to know that it works, and what must be done before each of its starts."""

    child: Child
    port: int
    ready: Callable[[], Awaitable[str | None]]
    prepare: Callable[[], Awaitable[None]] | None = None
    restarts: int = 0

    @property
    def name(self) -> str:
        return self.child.name

    async def launch(self) -> None:
        """Start the process."""
        if self.prepare:
            await self.prepare()
        self.child.start()

    async def works(self) -> None:
        """Wait until it can do its work."""
        await self.child.until(self.ready, READY_SECONDS)


async def keep_running(component: Component, changed: Callable[[], None]) -> None:
    """Start the component again whenever it ends, sooner after a steady run than after several deaths in a row.

    `changed` is called whenever it has another process. Ends only by cancellation.
    """
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        while component.child.alive:  # noqa: ASYNC110  # a process id has no event to wait for
            await asyncio.sleep(POLL_SECONDS)
        lived_seconds = time.monotonic() - began
        pause_seconds = FIRST_PAUSE_SECONDS if lived_seconds > STEADY_SECONDS else pause_seconds
        how = ending(component.child.exit_code)
        _log.warning(
            "%s ended %s, watched for %.1f s; again in %.1f s", component.name, how, lived_seconds, pause_seconds
        )
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        await _start_again(component, changed)


async def _start_again(component: Component, changed: Callable[[], None]) -> None:
    began = time.monotonic()
    component.restarts += 1
    try:
        await component.launch()
        changed()
        await component.works()
    except (StackError, OSError) as error:
        _log.error("%s: %s", component.name, error)  # the line says all; the next try follows
    else:
        _log.warning("%s is ready again after %.1f s", component.name, time.monotonic() - began)


def ending(exit_code: int | None) -> str:
    """`by SIGKILL`, or `with exit code 78`."""
    if exit_code is not None and exit_code < 0:
        return f"by {signal.Signals(-exit_code).name}"
    return f"with exit code {exit_code}"
