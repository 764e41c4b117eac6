"""You are between a service and PostgreSQL or a broker: a TCP proxy that can cut, tear, delay and freeze."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from stack.ports import LOOPBACK

_CHUNK: Final = 65_536


class Proxy:
    """Forwards connections from one port of the loopback interface to another."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.cut_connections = 0
        self.delayed_bytes = 0
        self.torn_chunks = 0
        self._target = target
        self._delay_seconds = 0.0
        self._tearing = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Forward for as long as the block lasts."""
        server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        try:
            yield
        finally:
            server.close()
            self._flowing.set()
            self.cut()

    def cut(self) -> int:
        """Reset every connection at once, in the middle of whatever it carries; answer how many."""
        writers = list(self._writers)
        for writer in writers:
            writer.transport.abort()
        self.cut_connections += len(writers) // 2
        return len(writers) // 2

    async def tear(self, for_seconds: float) -> int:
        """End each connection in the middle of the next thing that it carries: half of it arrives, then the end of
        the stream. Answer how often that was.
        """
        before, self._tearing = self.torn_chunks, True
        try:
            await asyncio.sleep(for_seconds)
        finally:
            self._tearing = False
        return self.torn_chunks - before

    async def delay(self, delay_seconds: float, for_seconds: float) -> int:
        """Hold back each chunk for so long; answer how many bytes were late."""
        before, self._delay_seconds = self.delayed_bytes, delay_seconds
        try:
            await asyncio.sleep(for_seconds)
        finally:
            self._delay_seconds = 0.0
        return self.delayed_bytes - before

    async def freeze(self, for_seconds: float) -> int:
        """Let nothing through, without telling anybody; answer how many connections hung."""
        self._flowing.clear()
        try:
            await asyncio.sleep(for_seconds)
        finally:
            self._flowing.set()
        return len(self._writers) // 2

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there_writer}
        self._writers |= both
        try:
            pumps = [asyncio.create_task(self._pump(reader, there_writer))]
            pumps.append(asyncio.create_task(self._pump(there_reader, writer)))
            await asyncio.wait(pumps)
        finally:
            self._writers -= both

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                if self._delay_seconds:
                    self.delayed_bytes += len(data)
                    await asyncio.sleep(self._delay_seconds)
                if self._tearing and len(data) > 1:
                    self.torn_chunks += 1
                    writer.write(data[: len(data) // 2])
                    break
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
