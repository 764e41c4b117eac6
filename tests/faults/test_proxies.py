"""Proxies in a process of their own do as they are told, and say what they did."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stack.ports import LOOPBACK, free_ports
from tests.faults.proxies import FarProxy, Place, serving


@asynccontextmanager
async def echoing() -> AsyncIterator[FarProxy]:
    """A proxy in front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    port, target = free_ports(2)
    async with await asyncio.start_server(echo, LOOPBACK, target):
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        async with serving([Place(port, target)], environment) as [proxy]:
            yield proxy


async def test_connections_are_cut_and_counted() -> None:
    async with echoing() as proxy, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"there")
        assert await reader.read(100) == b"there"
        assert await proxy.cut() == 1
        assert await reader.read(100) == b""
        while await proxy.cut():
            pass  # a connection is counted until its end was handled
        writer.close()
        await writer.wait_closed()


async def test_two_orders_at_a_time_are_answered_each_when_it_is_done() -> None:
    async with echoing() as proxy, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"there")
        assert await reader.read(100) == b"there"
        freezing = asyncio.create_task(proxy.freeze(0.5))
        assert await proxy.delay(0.01, 0.01) == 0
        writer.write(b"late")
        reading = asyncio.create_task(reader.read(100))
        await asyncio.sleep(0.2)
        assert not reading.done()
        assert await freezing == 1
        assert await reading == b"late"
        writer.close()
