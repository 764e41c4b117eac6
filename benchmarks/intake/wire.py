"""The callers' end of HTTP/1.1 connections: requests go out as bytes that are ready, of answers the status is read.

It is to cost so little that on two cores the servers are what is measured: no tasks, no parsing beyond the length.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias, cast

from benchmarks.harness.openloop import Latencies, latencies_of

Address: TypeAlias = tuple[str, int]

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_TICK_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 60.0


class Caller(Protocol):
    """Whose connections they are: it is told each answer (its status, and all of it), and when one is lost."""

    def answered(self, call: "Call", status: bytes, answer: bytes) -> None: ...

    def lost(self, error: Exception | None) -> None: ...


class Call(asyncio.Protocol):
    """One connection, one request at a time; tells its ``Caller`` of each answer."""

    def __init__(self, crowd: Caller) -> None:
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None
        self._read = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read = read = self._read + data if self._read else data
        head = read.find(_HEAD_END)
        if head < 0:
            return
        at = read.find(_LENGTH, 0, head)
        length = int(read[at + len(_LENGTH) : read.find(b"\r", at)])
        if len(read) >= head + len(_HEAD_END) + length:
            self._read = b""
            self._crowd.answered(self, read[9:12], read)

    def connection_lost(self, error: Exception | None) -> None:
        self._crowd.lost(error)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Crowd:
    """Connections to one or more servers, evenly spread. What is sent must be answered with ``wanted``."""

    def __init__(self, wanted: bytes) -> None:
        self.last = b""
        """The last answer, whole: for whoever wants to look at one."""
        self._wanted = wanted
        self._calls: list[Call] = []
        self._free: deque[Call] = deque()
        """The one that has rested longest first: all are in use, as those of a portal are."""
        self._closing = False
        self._reset(0)

    def _reset(self, expected: int) -> None:
        self._left = expected
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._taken: list[float] = []
        self._statuses: Counter[bytes] = Counter()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self, addresses: Sequence[Address], connections: int) -> None:
        """Have so many connections open, closing those of before."""
        self.close()
        self._closing = False
        loop = asyncio.get_running_loop()
        for number in range(connections):
            host, port = addresses[number % len(addresses)]
            _, call = await loop.create_connection(lambda: Call(self), host, port)
            self._calls.append(call)

    def close(self) -> None:
        self._closing = True
        for call in self._calls:
            call.close()
        self._calls = []

    async def closed_loop(self, requests: Sequence[bytes]) -> float:
        """Send all requests, each connection the next as soon as it has its answer; return the seconds until the last
        answer."""
        self._reset(len(requests))
        began = time.perf_counter()
        self._waiting.extend((began, request) for request in requests)
        self._free.clear()
        for call in self._calls:
            self._next(call)
        await self._all_answered()
        return time.perf_counter() - began

    async def open_loop(self, requests: Sequence[bytes], rate: float, *, late_seconds: float = 1.0) -> Latencies:
        """Let requests arrive at ``rate`` a second; one that finds no free connection waits, and its clock runs."""
        self._reset(len(requests))
        self._free = deque(self._calls)
        start = time.perf_counter()
        for number, request in enumerate(requests):
            due = start + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(max(wait, _TICK_SECONDS))
            self._waiting.append((due, request))
            if self._free:
                self._next(self._free.popleft())
        await self._all_answered()
        return latencies_of(self._taken, rate, time.perf_counter() - start - len(requests) / rate, late_seconds)

    def _next(self, call: Call) -> None:
        if self._waiting:
            call.due, request = self._waiting.popleft()
            call.send(request)
        else:
            self._free.append(call)

    def answered(self, call: Call, status: bytes, answer: bytes) -> None:
        self._taken.append(time.perf_counter() - call.due)
        self.last = answer
        if status != self._wanted:
            self._statuses[status] += 1
        self._left -= 1
        if self._left == 0 and not self._done.done():
            self._done.set_result(None)
        self._next(call)

    def lost(self, error: Exception | None) -> None:
        if not (self._closing or self._done.done()):
            self._done.set_exception(ConnectionError(f"a server closed a connection: {error}"))

    async def _all_answered(self) -> None:
        await asyncio.wait_for(self._done, _PATIENCE_SECONDS)
        if self._statuses:
            others = {status.decode(): count for status, count in self._statuses.items()}
            raise AssertionError(f"not {self._wanted.decode()}: {others}; the last: {self.last[-500:]!r}")


def request(method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: intake", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
