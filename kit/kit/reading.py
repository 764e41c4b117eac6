"""Reads records into messages: some before their turn, while the batch before theirs waits for the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from kit.ahead import Batch
from kit.errors import PermanentError
from kit.messages import Message, parse

_READ_AT_ONCE: Final = 32  # records, a third of a millisecond: whoever waits for the database goes on soon enough


class Reading:
    """What was read of the batch that is handled, and of the one that follows."""

    def __init__(self, wanted: Callable[[Any], bool]) -> None:
        self._wanted = wanted
        # By the record's identity, which is its own while the record is kept beside it.
        self._now: dict[int, tuple[Any, Message | PermanentError]] = {}
        self._next: dict[int, tuple[Any, Message | PermanentError]] = {}

    def message(self, record: Any) -> Message:
        """Return the record's message; raise PermanentError where it does not keep to the contract."""
        _, outcome = self._now.pop(id(record), None) or (record, None)
        if outcome is None:
            return parse(record)
        if isinstance(outcome, PermanentError):
            raise outcome
        return outcome

    @asynccontextmanager
    async def of_next(self, batch: Batch) -> AsyncIterator[None]:
        """Read the next batch while the block handles the one before it."""
        self._now, self._next = self._next, {}
        if not batch:
            yield
            return
        reading = asyncio.create_task(self._read(batch))
        try:
            yield
        except BaseException:
            reading.cancel()  # it awaits nothing but its turn
            raise
        await reading

    async def _read(self, batch: Batch) -> None:
        for records in list(batch.values()):  # partitions that are taken away meanwhile are dropped from the batch
            for number, record in enumerate(records, 1):
                if self._wanted(record):
                    self._next[id(record)] = record, _outcome(record)
                if number % _READ_AT_ONCE == 0:
                    await asyncio.sleep(0)


def _outcome(record: Any) -> Message | PermanentError:
    try:
        return parse(record)
    except PermanentError as error:
        return error
