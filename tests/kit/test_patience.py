"""A caller that is too slow loses its connection, is told why where it can be, and takes nothing from the others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from kit import patience
from kit.http import create_app
from tests.kit.conftest import eventually
from tests.kit.serving import Line, calling, head, serving

BODY_SECONDS, HEAD_SECONDS, READING_SECONDS = 0.4, 0.4, 0.5


class Tale:
    """Whether the handler of a long answer runs."""

    running = False


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    for name, seconds in (("BODY_SECONDS", BODY_SECONDS), ("HEAD_SECONDS", HEAD_SECONDS)):
        monkeypatch.setattr(patience, name, seconds)
    monkeypatch.setattr(patience, "READING_SECONDS", READING_SECONDS)
    monkeypatch.setattr(patience, "SILENT_SECONDS", HEAD_SECONDS)
    monkeypatch.setattr(patience, "SLOWEST_BYTES_PER_SECOND", 2_000)
    async with serving(application()) as found:
        yield found


Open = Callable[[], Awaitable[Line]]


@pytest.fixture
async def open_line(port: int) -> AsyncIterator[Open]:
    async with calling(port) as opening:
        yield opening


def application() -> FastAPI:
    app = create_app(service="test", title="test", description="", trouble={})

    @app.post("/measure")
    async def measure(request: Request) -> int:
        return len(await request.body())

    @app.get("/long")
    async def tell() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            Tale.running = True
            try:
                for _ in range(2_000):
                    yield b"x" * 65_536
            finally:
                Tale.running = False

        return StreamingResponse(parts())

    return app


async def test_a_body_that_comes_too_slowly_is_answered_408(open_line: Open) -> None:
    line = await open_line()
    await line.send(head("/measure", 1_000, accept_language="en") + b"{")
    answer = await line.everything()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "body_too_late"' in answer
    assert b"connection: close" in answer


async def test_a_body_that_trickles_is_late_all_the_same(open_line: Open) -> None:
    line = await open_line()
    await line.send(head("/measure", 1_000))
    reading = asyncio.create_task(line.everything())
    for _ in range(100):
        if reading.done():
            break
        await asyncio.sleep(0.05)
        await line.send(b" ")
    assert (await reading).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_comes_fast_enough_may_take_its_time(open_line: Open) -> None:
    line = await open_line()
    pieces = 12
    await line.send(head("/measure", pieces * 1_000, connection="close"))
    for _ in range(pieces):
        await line.send(b"x" * 1_000)
        await asyncio.sleep(2 * BODY_SECONDS / pieces)
    answer = await line.everything()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"12000")


@pytest.mark.parametrize("sent", [b"", b"POST /meas", head("/measure", 10)[:-2]])
async def test_a_head_that_is_not_finished_ends_the_connection(open_line: Open, sent: bytes) -> None:
    line = await open_line()
    await line.send(sent)
    assert await line.everything() == b""


async def test_a_second_head_has_its_own_time(open_line: Open) -> None:
    line = await open_line()
    await line.send(head("/measure", 2) + b"{}")
    await asyncio.sleep(HEAD_SECONDS / 2)
    await line.send(head("/measure", 2)[:20])
    answer = await line.everything()
    assert answer.count(b"HTTP/1.1 200 ") == 1


async def test_who_never_reads_loses_the_connection_and_what_serves_it_ends(open_line: Open) -> None:
    line = await open_line()
    line.stop_reading()
    await line.send(b"GET /long HTTP/1.1\r\nhost: test\r\n\r\n")
    await eventually(lambda: Tale.running)
    await eventually(lambda: not Tale.running)


async def test_the_others_are_answered_meanwhile() -> None:
    """With the limits of every day: those of the tests above would also cut off who only waits for a busy machine."""
    async with serving(application()) as port, calling(port) as open_one:
        slow = [await open_one() for _ in range(90)]
        for number, line in enumerate(slow):
            await line.send(
                [head("/measure", 1_000) + b"{", b"POST /m", b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n"][number % 3]
            )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            answers = await asyncio.gather(*[client.post("/measure", content=b"x" * 100) for _ in range(60)])
        assert [answer.json() for answer in answers] == [100] * 60
        assert not any(line.ended() for line in slow), "the slow ones were there all the time"
