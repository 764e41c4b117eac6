"""A few at a time: all things in their order, and the other loops between them."""

import asyncio

from kit.turns import in_turns


async def test_all_come_in_their_order_a_few_at_a_time() -> None:
    assert [list(few) async for few in in_turns(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    nothing: list[int] = []
    assert [few async for few in in_turns(nothing)] == []


async def test_others_have_their_turn_between_them() -> None:
    seen: list[str] = []

    async def other() -> None:
        for _ in range(3):
            seen.append("other")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        async for few in in_turns("abc", 1):
            seen.append(few[0])  # noqa: PERF401  # a comprehension would be one turn
    assert seen == ["a", "other", "b", "other", "c", "other"]
