"""You are where several things are done at once and the first failure is told as itself, not as a group of errors."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Do all of it at once. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as errors:
        raise first(errors) from errors


def first(error: BaseException) -> BaseException:
    """The first real error inside of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
