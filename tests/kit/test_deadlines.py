"""Deadlines: whatever becomes of the work, the caller goes on, or hears of it as of any other failure."""

import asyncio

import pytest

from kit.deadlines import within


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
