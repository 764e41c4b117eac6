"""The pace: what comes alone begins at once, what follows waits its turn."""

import asyncio

from kit.pace import Pace

SECONDS = 0.05


async def test_what_comes_alone_begins_at_once() -> None:
    pace = Pace(SECONDS)
    assert not await pace.keep()
    await asyncio.sleep(2 * SECONDS)
    assert not await pace.keep()


async def test_what_follows_is_waited_for_and_begins_no_earlier() -> None:
    pace, loop = Pace(SECONDS), asyncio.get_running_loop()
    await pace.keep()
    began = loop.time()
    assert await pace.keep()
    assert await pace.keep()
    assert loop.time() - began >= 1.9 * SECONDS


async def test_without_a_pace_nothing_waits() -> None:
    pace = Pace()
    assert not any([await pace.keep() for _ in range(3)])


async def test_what_nobody_waits_for_has_more_patience() -> None:
    pace = Pace(SECONDS, 10 * SECONDS)
    assert pace.left(patient=True) == 0
    pace.begin()
    assert 0 < pace.left() <= SECONDS < 9 * SECONDS < pace.left(patient=True) <= 10 * SECONDS


async def test_patience_is_never_less_than_the_pace() -> None:
    pace = Pace(10 * SECONDS, SECONDS)
    pace.begin()
    assert pace.left(patient=True) > 9 * SECONDS
