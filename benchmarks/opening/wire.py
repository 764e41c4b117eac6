"""The portal's connections: HTTP/1.1 by hand, because 40,000 calls must cost little beside what is measured.

There are so many and no more, each is kept for the next call, and who finds none free waits in line. (Without a bound
the crowd's own process was busy opening connections, 15,000 of them, and intake had nothing to do.) Hanging up is done
as people do it: half-way through sending, or as soon as all is sent.
"""

import asyncio
from collections import deque
from typing import Final

import httptools
import msgspec

_CHUNK: Final = 65_536


class Answer(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """Connections to one place. ``post`` and ``get`` raise OSError or TimeoutError when there is no answer in time;
    the time begins when there is a connection.
    """

    def __init__(self, host: str, port: int, token: str, answer_seconds: float, connections: int = 1_000) -> None:
        self._free = asyncio.Semaphore(connections)
        self._place = (host, port)
        self._head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\nAccept-Language: en\r\n".encode()
        self._answer_seconds = answer_seconds
        self._idle: deque[_Connection] = deque()
        self.opened = 0

    async def post(self, path: str, body: bytes, key: str) -> Answer:
        """Send a body under a key ("" for none) and return the answer."""
        return await self._exchange(self._request("POST", path, body, key))

    async def get(self, path: str) -> Answer:
        """Return the answer to a read."""
        request = self._request("GET", path, b"", "")
        try:
            return await self._exchange(request)
        except ConnectionResetError:  # a server hangs up on a connection that rested, at the moment of its next use
            return await self._exchange(request)

    async def hang_up(self, path: str, body: bytes, key: str, *, midway: bool) -> None:
        """Send all of a request, or its first half, and hang up without listening."""
        request = self._request("POST", path, body, key)
        connection = await self._open()
        connection.send(request[: len(request) - len(body) // 2] if midway else request)
        await connection.sent()
        connection.close()

    async def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop().close()

    def _request(self, method: str, path: str, body: bytes, key: str) -> bytes:
        told = f"Idempotency-Key: {key}\r\n" if key else ""
        if body:
            told += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method.encode(), path.encode(), self._head, told.encode()) + body

    async def _exchange(self, request: bytes) -> Answer:
        async with self._free, asyncio.timeout(self._answer_seconds):
            return await self._on_connection(self._kept() or await self._open(), request)

    async def _on_connection(self, connection: "_Connection", request: bytes) -> Answer:
        keep = False
        try:
            connection.send(request)
            answer = await connection.answer()
            keep = answer.headers.get("connection", "").lower() != "close"
        except httptools.HttpParserError as error:
            raise ConnectionError(f"that is no HTTP: {error}") from error
        else:
            return answer
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.close()

    async def _open(self) -> "_Connection":
        self.opened += 1
        return _Connection(*await asyncio.open_connection(*self._place))

    def _kept(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended():
                return connection
            connection.close()
        return None


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def ended(self) -> bool:
        """Whether the other end has hung up, as servers do with connections that nobody uses."""
        return self._reader.at_eof() or self._writer.is_closing()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def sent(self) -> None:
        await self._writer.drain()

    async def answer(self) -> Answer:
        found = _Found()
        parser = httptools.HttpResponseParser(found)
        while not found.complete:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise ConnectionResetError("the connection ended before the answer did")
            parser.feed_data(data)
        return Answer(parser.get_status_code(), found.headers, bytes(found.body))

    def close(self) -> None:
        self._writer.close()


class _Found:
    """What the parser has found so far."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True
