"""An application served as a service serves it, on a real port; and callers that write bytes to it as they please."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from kit.service import http_config
from stack.ports import free_ports


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    """Serve until the block ends; give the port."""
    [port] = free_ports(1)
    config = http_config(app)
    config.host, config.port = "127.0.0.1", port
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await running


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Callable[[], Awaitable["Line"]]]:
    """Give what opens connections to a port; all of them are closed at the end."""
    lines: list[Line] = []

    async def open_one() -> Line:
        lines.append(await Line.open(port))
        return lines[-1]

    yield open_one
    for line in lines:
        await line.close()


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Line":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def everything(self, seconds: float = 20.0) -> bytes:
        """Return all that comes until the other end closes; b"" when it was cut off."""
        try:
            async with asyncio.timeout(seconds):
                return await self._reader.read(-1)
        except ConnectionResetError:
            return b""

    def stop_reading(self) -> None:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    def ended(self) -> bool:
        """Return whether the other end has closed, or was cut off."""
        return self._reader.at_eof() or self._reader.exception() is not None

    def hang_up(self) -> None:
        self._writer.close()

    async def close(self) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def head(path: str, length: int, **headers: str) -> bytes:
    """Return the head of a POST with so long a body."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    usual = f"host: test\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    return f"POST {path} HTTP/1.1\r\n{usual}{more}\r\n".encode()
