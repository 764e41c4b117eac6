"""Deadlines: whatever becomes of the work, the caller goes on, or hears of it as of any other failure."""

import asyncio

import pytest
import uvloop

from kit.deadlines import StoppingError, unless, within


async def _cancelled_by_itself() -> None:
    """As a Kafka client does whose own tasks were cancelled."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def test_work_that_cancels_itself_has_failed_and_its_caller_has_not() -> None:
    with pytest.raises(TimeoutError, match="polling was given up"):
        await within(5, _cancelled_by_itself(), "polling")


async def test_work_that_is_late_is_left_behind() -> None:
    with pytest.raises(TimeoutError, match=r"polling took longer than 0\.01 s"):
        await within(0.01, asyncio.sleep(5), "polling")


async def _write_to_what_is_closed() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.abort()
        await asyncio.sleep(0.05)
        writer.write(b"too late")


def test_writing_to_a_connection_that_is_gone_is_an_error_of_the_connection() -> None:
    """Under uvloop, which services run on, it is a RuntimeError, and none of those waits anything out."""
    with pytest.raises(ConnectionError, match=r"polling: .*the handler is closed"):
        uvloop.run(within(5, _write_to_what_is_closed(), "polling"))


async def test_work_without_an_end_is_left_behind_when_the_process_stops() -> None:
    stop = asyncio.Event()
    stopping = asyncio.create_task(stop.wait())
    asyncio.get_running_loop().call_later(0.01, stop.set)
    heard = asyncio.Event()
    with pytest.raises(StoppingError):
        await unless(stopping, _endless(heard))
    await asyncio.wait_for(heard.wait(), 1)


async def _endless(heard: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        heard.set()


async def test_work_that_ends_first_ends_as_without_a_stop() -> None:
    stopping = asyncio.create_task(asyncio.Event().wait())
    assert await unless(stopping, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(TimeoutError, match="polling was given up"):
        await unless(stopping, within(5, _cancelled_by_itself(), "polling"))
    stopping.cancel()
