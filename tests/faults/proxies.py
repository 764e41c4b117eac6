"""You are at the proxies' own process, and at its handles: the suite's load must not starve what passes through them.

``python -m tests.faults.proxies`` reads its places as the first line of JSON, then one order a line, and answers each
with a number. It ends with its standard input, so that it does not outlive the suite.
"""

import asyncio
import itertools
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import uvloop

from tests.faults.proxy import Proxy

_READY_SECONDS: Final = 20.0
_END_SECONDS: Final = 5.0
_GONE: Final = "the proxies' process is gone"


class Order(msgspec.Struct):
    """What one proxy has to do: ``seconds`` are the arguments of that method."""

    number: int
    proxy: int
    what: str
    seconds: tuple[float, ...] = ()


class Done(msgspec.Struct):
    """How an order ended."""

    number: int
    answer: int


@dataclass(frozen=True)
class Place:
    """A port of the loopback interface, and the one that it leads to."""

    port: int
    target: int


class FarProxy:
    """A proxy in the other process, with the methods of ``Proxy``."""

    def __init__(self, line: "_Line", number: int, port: int) -> None:
        self.port = port
        self._line = line
        self._number = number

    async def cut(self) -> int:
        """Reset every connection at once; answer how many."""
        return await self._line.order(self._number, "cut")

    async def tear(self, for_seconds: float) -> int:
        """End each connection in the middle of what it carries; answer how often that was."""
        return await self._line.order(self._number, "tear", for_seconds)

    async def delay(self, delay_seconds: float, for_seconds: float) -> int:
        """Hold back each chunk for so long; answer how many bytes were late."""
        return await self._line.order(self._number, "delay", delay_seconds, for_seconds)

    async def freeze(self, for_seconds: float) -> int:
        """Let nothing through, without telling anybody; answer how many connections hung."""
        return await self._line.order(self._number, "freeze", for_seconds)


class _Line:
    """Orders to the process, and its answers. Raises ConnectionError when it is gone."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[int]] = {}
        self._gone = False

    async def order(self, proxy: int, what: str, *seconds: float) -> int:
        if self._gone:
            raise ConnectionError(_GONE)
        order = Order(next(self._numbers), proxy, what, seconds)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._open[order.number] = answer
        self._orders.write(msgspec.json.encode(order) + b"\n")
        return await answer

    async def listen(self) -> None:
        while line := await self._answers.readline():
            done = msgspec.json.decode(line, type=Done)
            answer = self._open.pop(done.number)
            if not answer.done():
                answer.set_result(done.answer)
        self._gone = True
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(ConnectionError(_GONE))


@asynccontextmanager
async def serving(places: Sequence[Place], environment: Mapping[str, str]) -> AsyncIterator[list[FarProxy]]:
    """Have a proxy at each place for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(places) + b"\n")
    async with asyncio.timeout(_READY_SECONDS):
        if await process.stdout.readline() != b"ready\n":
            raise ConnectionError("the proxies did not start")
    line = _Line(process)
    listening = asyncio.create_task(line.listen())
    try:
        yield [FarProxy(line, number, place.port) for number, place in enumerate(places)]
    finally:
        process.stdin.close()
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
        await listening


async def _serve() -> None:
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    places = msgspec.json.decode(await orders.readline(), type=list[Place])
    proxies = [Proxy(place.port, place.target) for place in places]
    async with AsyncExitStack() as open_things, asyncio.TaskGroup() as under_way:
        for proxy in proxies:
            await open_things.enter_async_context(proxy.serving())
        print("ready", flush=True)
        while line := await orders.readline():
            order = msgspec.json.decode(line, type=Order)
            under_way.create_task(_carry_out(proxies[order.proxy], order))
        os._exit(0)  # whatever is under way, nobody waits for it any more


async def _carry_out(proxy: Proxy, order: Order) -> None:
    doing: Any = getattr(proxy, order.what)(*order.seconds)
    answer = await doing if asyncio.iscoroutine(doing) else doing
    print(msgspec.json.encode(Done(order.number, answer)).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve())
