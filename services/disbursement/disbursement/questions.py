"""What a book asks the database, several questions in one round trip, and where the answers go.

A batch of one event costs as many round trips as one of hundreds: a statement more is most of its time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import statements
from disbursement.book import Book
from kit.driver import Prepared, together

_MOST_TOGETHER: Final = 20  # ids of a kind; rows within a row take longer to read than rows

R = TypeVar("R")
Row = Any  # a tuple, or what the driver has for one
Then = Callable[[Sequence[Row]], object]


def records_of(kind: type[R], rows: Iterable[Row]) -> list[R]:
    """Return rows as records of a kind: their columns are its fields, in order."""
    names: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def _is_many(values: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) and len(value) > _MOST_TOGETHER for value in values.values())


def columns_of(keys: Iterable[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Return keys as the statements take them: in their order, a list for each part. There must be one at least."""
    return tuple(map(list, zip(*sorted(keys), strict=True)))


class Questions:
    """Gathers questions until ``answers`` puts them all. What is found is taken into the book."""

    def __init__(self, connection: AsyncConnection, book: Book) -> None:
        self._connection = connection
        self._book = book
        self._asked: list[tuple[Prepared, dict[str, Any], Then]] = []
        self._known: dict[str, set[Any]] = {}

    def new(self, name: str, ids: Iterable[Any]) -> list[Any]:
        """Return those of these ids that were not new under this name before."""
        known = self._known.setdefault(name, set())
        fresh = set(ids) - known
        known |= fresh
        return list(fresh)

    def ask(self, statement: Prepared, then: Then, **values: Any) -> None:
        """Ask with a statement that only reads; ``then`` gets its rows."""
        self._asked.append((statement, values, then))

    def take(self, kind: type[Any], statement: Prepared, **values: Any) -> None:
        """Ask for records of a kind."""
        self.ask(statement, partial(self._take, kind), **values)

    def find(self, kind: type[Any], named: Mapping[str, Iterable[Any]], then: Then | None = None, **more: Any) -> None:
        """Ask for records by any of these names (``statements.FINDING``); nothing is asked where there is no name."""
        ways = {name: list(values) for name, values in named.items() if values}
        if ways:
            self.ask(statements.FINDING[kind, frozenset(ways)], then or partial(self._take, kind), **ways, **more)

    async def answers(self) -> bool:
        """Put the questions and hand out the answers, in their order; return whether there were any."""
        asked, self._asked = self._asked, []
        if len(asked) > 1 and not any(_is_many(values) for _, values, _ in asked):
            found = await together(self._connection, [(statement, values) for statement, values, _ in asked])
            for (_, _, then), rows in zip(asked, found, strict=True):
                then(rows)
        else:
            for statement, values, then in asked:
                then(await statement.rows(self._connection, **values))
        return bool(asked)

    async def locked(self, kind: type[R], statement: Prepared, **values: Any) -> list[R]:
        """Return the records that a statement locks, which are in the book. Locks are taken by a statement alone."""
        return self._take(kind, await statement.rows(self._connection, **values))

    def _take(self, kind: type[R], rows: Sequence[Row]) -> list[R]:
        records = records_of(kind, rows)
        for record in records:
            self._book.take(record)  # type: ignore[arg-type]  # every kind that is taken has a place
        return records
