"""A side in a process of its own, as a service is: the benchmark asks it to do things, and waits.

The process runs on uvloop and ends with the benchmark, whatever becomes of that.
"""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol, Self

import uvloop

from kit import collector

_SPAWN: Final = multiprocessing.get_context("spawn")  # a fork would take our event loop with it
_END_SECONDS: Final = 10.0


class Closable(Protocol):
    """What runs in the process: its public coroutine methods may be called from here."""

    async def close(self) -> None: ...


class Remote:
    """Handle of a side that runs elsewhere."""

    def __init__(self, opener: Callable[..., Awaitable[Closable]], *args: Any) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_run, args=(theirs, opener, args), daemon=True)
        self._process.start()
        theirs.close()

    async def __aenter__(self) -> Self:
        await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.call("close")
        await asyncio.to_thread(self._process.join, _END_SECONDS)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method over there; return what it returned, raise what it raised."""
        self._pipe.send((method, args))
        return await self._answer()

    async def _answer(self) -> Any:
        answer = await asyncio.to_thread(self._pipe.recv)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _run(pipe: Connection, opener: Callable[..., Awaitable[Closable]], args: tuple[Any, ...]) -> None:
    uvloop.run(_serve(pipe, opener, args))


async def _serve(pipe: Connection, opener: Callable[..., Awaitable[Closable]], args: tuple[Any, ...]) -> None:
    try:
        side = await opener(*args)
    except Exception as error:  # noqa: BLE001  # it is raised again by whoever asked
        pipe.send(error)
        return
    collector.calm()  # as every service does; the peer too
    pipe.send(None)
    while True:
        try:
            method, values = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        try:
            pipe.send(await getattr(side, method)(*values))
        except Exception as error:  # noqa: BLE001  # the same
            pipe.send(error)
        if method == "close":
            return
