"""The portal's bottom layer, against a server whose answers are written by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from stack.ports import LOOPBACK, free_ports
from tests.faults.client import Direct

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def calling(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async def serve_and_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    [port] = free_ports(1)
    client = httpx.AsyncClient(transport=Direct(), base_url=f"http://{LOOPBACK}:{port}", timeout=5)
    async with await asyncio.start_server(serve_and_end, LOOPBACK, port), client:
        yield client


async def test_a_connection_is_kept_for_the_next_request() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in (b"one", b"two"):
            asked.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2))
            writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\nretry-after: 2\r\n\r\n" + body)

    async with calling(serve) as client:
        answers = [await client.post("/a?b=c", content=b"{}", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(201, "one"), (201, "two")]
    assert answers[0].headers["Retry-After"] == "2"
    assert asked[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"idempotency-key: k\r\n" in asked[0].lower()


async def test_a_connection_that_the_server_ended_is_not_used_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with calling(serve) as client:
        assert (await client.get("/")).status_code == 200
        await asyncio.sleep(0.1)  # for the end of the stream to arrive
        assert (await client.get("/")).status_code == 200


async def test_half_an_answer_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")

    async with calling(serve) as client:
        with pytest.raises(httpx.NetworkError, match="before the answer did"):
            await client.get("/")


async def test_silence_is_a_time_out_and_holds_up_nobody_else() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"silent" in head:
            await asyncio.sleep(1)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with calling(serve) as client:
        silent = [asyncio.create_task(client.get("/silent", timeout=0.5)) for _ in range(100)]
        await asyncio.sleep(0.1)
        assert (await client.get("/", timeout=0.3)).status_code == 200
        ends = await asyncio.gather(*silent, return_exceptions=True)
    assert {type(end) for end in ends} == {httpx.ReadTimeout}
