"""The portal's stream of events, for as long as it is wanted: the server ends each connection within the hour.

As docs/how-to/follow-status-changes.md has it, whoever was cut off goes on behind the last event that it heard.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Self, cast

import httptools

from benchmarks.intake.wire import request

Headers = tuple[tuple[str, str], ...]

_BEGIN_SECONDS: Final = 10.0
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 0.5
_POSITION: Final = b"stream.position"
_GAP: Final = b"stream.gap"


class Stream:
    """Hands over the kind and data of each event; says why, when no more will come."""

    def __init__(
        self, host: str, port: int, headers: Headers, heard: Callable[[bytes, bytes], None], fail: Callable[[str], None]
    ) -> None:
        self._host, self._port, self._headers = host, port, headers
        self._heard = heard
        self._fail = fail
        self._last = b""
        self._connection: _Connection | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, headers: Headers, heard: Callable[[bytes, bytes], None], fail: Callable[[str], None]
    ) -> Self:
        """Open it, as soon as the server gives it; returns when it listens."""
        stream = cls(host, port, headers, heard, fail)
        await stream._connect()
        return stream

    def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if self._connection is not None:
            self._connection.close()

    async def _connect(self) -> None:
        for tries_left in reversed(range(_TRIES)):
            headers = (*self._headers, ("last-event-id", self._last.decode())) if self._last else self._headers
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._told, self._renew), self._host, self._port
            )
            self._connection = connection  # before it begins: whoever hears its first event may close the stream
            try:
                await connection.begin(headers)
                break
            except ConnectionError:
                connection.close()
                if not tries_left:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    def _told(self, identifier: bytes, kind: bytes, data: bytes) -> None:
        self._last = identifier
        if kind == _GAP:
            self._fail(f"the stream has a gap: {data.decode()}")
        elif kind != _POSITION:
            self._heard(kind, data)

    def _renew(self) -> None:
        self._renewing = asyncio.get_running_loop().create_task(self._connect_again())

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except OSError as error:
            self._fail(f"the stream ended and could not be opened again: {error}")


class _Connection(asyncio.Protocol):
    """One connection, from its position to its end. An end that was not asked for is told, once it had begun."""

    def __init__(self, told: Callable[[bytes, bytes, bytes], None], ended: Callable[[], None]) -> None:
        self._told = told
        self._ended = ended
        self._closing = False
        self._rest = b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, headers: Headers) -> None:
        """Ask for the events; returns when it is told from where on. Raises ConnectionError where it is refused."""
        assert self._transport is not None, "it is connected"
        self._transport.write(request("GET", "/v1/events", headers))
        await asyncio.wait_for(self._begun, _BEGIN_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 and not self._begun.done():
            self._begun.set_exception(ConnectionError(f"the stream was refused: {status}"))

    def on_body(self, body: bytes) -> None:
        *frames, self._rest = (self._rest + body).split(b"\n\n")
        for frame in frames:
            identifier, kind, data = b"", b"", b""
            for line in frame.split(b"\n"):
                if line.startswith(b"id: "):
                    identifier = line[4:]
                elif line.startswith(b"event: "):
                    kind = line[7:]
                elif line.startswith(b"data: "):
                    data = line[6:]
            if kind == _POSITION and not self._begun.done():
                self._begun.set_result(None)
            if kind:
                self._told(identifier, kind, data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._begun.done():
            self._begun.set_exception(ConnectionError(f"the stream ended before it began: {error}"))
        elif not self._closing:
            self._ended()

    def close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()
