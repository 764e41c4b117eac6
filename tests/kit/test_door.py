"""The door: how many calls begin in one turn of the event loop, who waits, and who is sent away."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from kit.door import Away, Door
from kit.errors import OverloadedError
from kit.http import create_app
from tests.kit.conftest import eventually
from tests.kit.test_access import Clock

CALL = {"path": "/v1/applications"}


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def crowd(door: Door, count: int, begun: list[int]) -> list[asyncio.Task[None]]:
    async def call(number: int) -> None:
        await door.enter(CALL)
        begun.append(number)

    return [asyncio.create_task(call(number)) for number in range(count)]


async def test_so_many_begin_in_a_turn_and_whoever_came_first_begins_first() -> None:
    begun: list[int] = []
    calls = crowd(Door(most=100, seconds=9, at_once=4), 30, begun)
    by_turn: Counter[int] = Counter()
    turn = 0
    while len(begun) < 30:
        before = len(begun)
        await turns(1)
        by_turn[turn] = len(begun) - before
        turn += 1
        assert turn < 200
    assert max(by_turn.values()) == 4
    assert begun == list(range(30))
    await asyncio.gather(*calls)


async def test_somebody_who_needs_many_turns_gets_them_while_a_crowd_waits() -> None:
    """The writer's round trips are such turns: without a door it would see the whole crowd begin before its second."""
    begun: list[int] = []
    calls = crowd(Door(most=1000, seconds=9, at_once=4), 400, begun)
    await turns(10)
    assert len(begun) <= 40
    await asyncio.gather(*calls)


async def test_nobody_waits_where_there_is_no_crowd() -> None:
    door = Door(most=0, seconds=9, at_once=4)
    for _ in range(50):
        await door.enter(CALL)
        await turns(2)


async def test_beyond_the_line_callers_are_sent_away_at_once() -> None:
    begun: list[int] = []
    calls = crowd(Door(most=10, seconds=9, at_once=4), 30, begun)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [number for number, answer in enumerate(answers) if isinstance(answer, OverloadedError)]
    assert refused == list(range(14, 30))
    assert begun == list(range(14))


async def test_who_has_waited_too_long_is_sent_away_and_so_are_newcomers_meanwhile() -> None:
    clock = Clock()
    door = Door(most=100, seconds=0.8, at_once=2, clock=clock)
    begun: list[int] = []
    calls = crowd(door, 6, begun)
    await turns(1)
    assert begun == [0, 1]
    clock.seconds += 1.0  # a long turn
    with pytest.raises(OverloadedError):
        await door.enter(CALL)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None)] * 2 + [OverloadedError] * 4
    await door.enter(CALL)


def test_the_refused_stay_away_longer_while_most_come_in_vain() -> None:
    away = Away()

    def after(let_in: int, refused: int, seconds: range) -> list[int]:
        told = []
        for second in seconds:
            for _ in range(let_in):
                away.let_in()
            told += [away.refused(float(second)).retry_after_seconds for _ in range(refused)]
        return told

    assert set(after(100, 10, range(3))) == {1, 2, 3}
    worse = after(10, 200, range(3, 10))
    assert min(worse[-200:]) >= 20
    assert 40 < max(worse[-200:]) <= 60
    assert len(set(worse[-200:])) > 10, "they come back as one"
    assert set(after(100, 10, range(10, 20))[-30:]) == {1, 2, 3}


async def test_who_was_let_in_and_refused_further_in_came_in_vain() -> None:
    """The writer's line is full: everybody comes in at the door, and is sent away all the same."""
    clock = Clock()
    door = Door(most=100, seconds=9, clock=clock)
    app = create_app(service="test", title="Test", description="A test", trouble={}, door=door)

    @app.get("/full")
    async def full() -> None:
        raise OverloadedError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for _ in range(8):
            clock.seconds += 1.1
            answers = [await client.get("/full") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert min(int(answer.headers["retry-after"]) for answer in answers) >= 20


async def test_a_caller_that_goes_away_takes_nobodys_turn() -> None:
    begun: list[int] = []
    calls = crowd(Door(most=100, seconds=9, at_once=2), 10, begun)
    await turns(1)
    for call in calls[2:6]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert begun == [0, 1, 6, 7, 8, 9]


async def test_health_is_answered_and_callers_are_told_to_come_back_while_the_line_is_full() -> None:
    open_again = asyncio.Event()
    app = create_app(
        service="test", title="Test", description="A test", trouble={}, door=Door(most=0, seconds=9, at_once=1)
    )
    begun = 0

    @app.get("/slow")
    async def slow() -> str:
        nonlocal begun
        begun += 1
        await open_again.wait()
        return "done"

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        calls = [asyncio.create_task(client.get("/slow")) for _ in range(20)]
        await eventually(lambda: begun > 0)
        assert (await client.get("/health/live")).status_code == 200
        open_again.set()
        answers: list[Any] = await asyncio.gather(*calls)
    told = Counter(answer.status_code for answer in answers)
    assert told[200] == begun
    assert told[200] + told[503] == 20
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "overloaded"
            assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert told[503] > 0
