"""What this process has just committed to its outbox, for its own relay: what is at hand need not be read.

The relay publishes ids in their order. Where the ids that follow its cursor are all at hand, each of them is known to
be committed, and nobody else can have drawn one of them: no fence has to pass, and nothing has to be asked. Where one
lacks (another process drew it, a transaction is open or was undone), the relay reads the outbox behind the fence.

Nothing rests on what is kept here. The outbox has it all; what is too much, or has no relay to wait for, is dropped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

_MOST_ROWS: Final = 4_000
_MOST_BYTES: Final = 16_000_000
_ADDED: Final = "added_to_outbox"


class Row(msgspec.Struct, frozen=True):
    """A row of the outbox, its data as it is stored. ``headers`` are those of a dead letter."""

    id: int
    event_id: UUID
    topic: str
    key: str
    type: str
    subject: str
    time: datetime
    traceparent: str | None
    headers: list[tuple[str, str]] | None
    data: bytes | None


class AtHand:
    """Rows by their ids, while a relay of this process leads; ``last`` is the highest id that it heard of."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._bytes = 0
        self._cursor = 0
        self._wanted = False
        self.last = 0

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Keep what is committed, from now to the end of the block. What was before, the relay reads."""
        self._wanted, self._cursor, self.last = True, 0, 0
        try:
            yield
        finally:
            self._wanted = False
            self._clear()

    @contextmanager
    def adding(self, connection: AsyncConnection) -> Iterator[None]:
        """Keep what is added to the outbox in a transaction, which has committed when the block ends."""
        rows: list[Row] = []
        info = connection.info if self._wanted else {}  # once: of a connection that was lost it would be asked anew
        info[_ADDED] = rows
        try:
            yield
        finally:
            if info.get(_ADDED) is rows:
                del info[_ADDED]
        self._committed(rows)

    def follows(self, cursor: int) -> bool:
        """Return whether the id that comes after the cursor is at hand."""
        return cursor + 1 in self._rows

    def take(self, cursor: int, most: int) -> list[Row]:
        """Return the rows whose ids come after the cursor without a gap, and forget them."""
        taken: list[Row] = []
        while len(taken) < most and (row := self._rows.pop(cursor + 1 + len(taken), None)) is not None:
            self._bytes -= _size(row)
            taken.append(row)
        return taken

    def passed(self, cursor: int) -> None:
        """Forget what is published; what comes late of that is not kept either."""
        self._cursor = cursor
        for number in [number for number in self._rows if number <= cursor]:
            self._bytes -= _size(self._rows.pop(number))

    def _committed(self, rows: Sequence[Row]) -> None:
        if not self._wanted or not rows:
            return
        self.last = max(self.last, rows[-1].id)
        kept = [row for row in rows if row.id > self._cursor]
        self._bytes += sum(map(_size, kept))
        self._rows.update((row.id, row) for row in kept)
        if len(self._rows) > _MOST_ROWS or self._bytes > _MOST_BYTES:
            self._clear()

    def _clear(self) -> None:
        self._rows.clear()
        self._bytes = 0


def add(connection: AsyncConnection, numbers: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
    """Say what a transaction has added, column by column, unless a savepoint may still undo it."""
    rows: list[Row] | None = connection.info.get(_ADDED)
    if rows is None or connection.in_nested_transaction():
        return
    for number, event_id, topic, key, kind, subject, time, traceparent, data in zip(numbers, *columns, strict=True):
        rows.append(Row(number, event_id, topic, key, kind, subject, time, traceparent, None, data))


def _size(row: Row) -> int:
    return len(row.data or b"")
