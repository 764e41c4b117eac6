"""You are at the bottom of the portal's calls: HTTP/1.1 for hundreds of callers at a time, none in another's way.

httpx's own pool looks at every connection for every request, which is quadratic in a crowd; a limit on the crowd would
be a line in front of the system, and every time that is measured would be the time in that line.
"""

import asyncio
from collections import defaultdict
from typing import Final, Self

import httptools
import httpx

_CHUNK: Final = 65_536
Place = tuple[str, int]


class Direct(httpx.AsyncBaseTransport):
    """Sends each request on a connection of its own, which is kept for the next one. ``read`` is the whole time."""

    def __init__(self) -> None:
        self._idle: defaultdict[Place, list[_Connection]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        place = (request.url.host, request.url.port or 80)
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(request.extensions["timeout"]["read"]):
                connection = self._kept(place) or await _Connection.open(place)
                answer, keep = await connection.exchange(request)
        except TimeoutError as error:
            raise httpx.ReadTimeout("no answer in time", request=request) from error
        except (OSError, httptools.HttpParserError) as error:
            raise httpx.NetworkError(f"{type(error).__name__}: {error}", request=request) from error
        else:
            if keep:
                self._idle[place].append(connection)
                connection = None
            return answer
        finally:
            if connection is not None:
                connection.close()

    def _kept(self, place: Place) -> "_Connection | None":
        while self._idle[place]:
            connection = self._idle[place].pop()
            if not connection.ended():
                return connection
            connection.close()
        return None

    async def aclose(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()


class _Answer:
    """What the parser has found so far."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, place: Place) -> Self:
        return cls(*await asyncio.open_connection(*place))

    def ended(self) -> bool:
        """Whether the other end has hung up, as servers do with connections that nobody uses."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def exchange(self, request: httpx.Request) -> tuple[httpx.Response, bool]:
        """Return the answer, and whether the connection is good for another request."""
        head = b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
        head += b"".join(b"%s: %s\r\n" % header for header in request.headers.raw)
        self._writer.write(head + b"\r\n" + await request.aread())
        found = _Answer()
        parser = httptools.HttpResponseParser(found)
        while not found.complete:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise ConnectionResetError("the connection ended before the answer did")
            parser.feed_data(data)
        answer = httpx.Response(parser.get_status_code(), headers=found.headers, content=bytes(found.body))
        return answer, answer.headers.get("connection", "").lower() != "close"

    def close(self) -> None:
        self._writer.close()
