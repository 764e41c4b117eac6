"""Statements that go to the driver as they are, inside SQLAlchemy's transaction: for what each batch or group runs.

A statement costs a third of what SQLAlchemy's execute does; how much of a life that is: docs/decisions/0026. Callers
tell errors apart by SQLAlchemy's classes and the SQLSTATE, as everywhere.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NoReturn, TypeVar

import asyncpg
import msgspec
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql import asyncpg as dialect_of_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

R = TypeVar("R")

_NUMBERED: Final = re.compile(r"\$(\d+)")

_DIALECT: Final = dialect_of_asyncpg.dialect()  # type: ignore[no-untyped-call]
_LOST: Final = asyncpg.InternalClientError  # its backend ended while the statement was about to be sent
_DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, _LOST, OSError, TimeoutError)


class Prepared:
    """A statement of SQLAlchemy's, written out once: to do so for each batch costs more than to run it.

    Its parameters are its ``bindparam``s by name; a document (JSONB) is given as JSON text.
    """

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        required = {bind.key for bind in compiled.binds.values() if bind.required}
        self._fixed = {name: value for name, value in compiled.params.items() if name not in required}

    def values(self, given: dict[str, Any]) -> list[Any]:
        """Return the values in the order in which the statement takes them. Raises KeyError for one that lacks."""
        given = {**self._fixed, **given}
        return [given[name] for name in self._names]

    async def rows(self, connection: AsyncConnection, **values: Any) -> list[asyncpg.Record]:
        """Run the statement in the transaction; return its rows."""
        return await fetch(connection, self.text, *self.values(values))

    async def records(self, connection: AsyncConnection, kind: type[R], **values: Any) -> list[R]:
        """Run the statement; return its rows as records of a kind, field by field in the order of the columns."""
        return [kind(*row) for row in await self.rows(connection, **values)]


async def together(
    connection: AsyncConnection, asked: Sequence[tuple[Prepared, dict[str, Any]]]
) -> list[list[tuple[Any, ...]]]:
    """Run statements that only read as one, with the values of each by name; return the rows of each.

    One round trip, one plan, and all of them see the same moment.
    """
    if not asked:
        return []
    values = [value for statement, given in asked for value in statement.values(given)]
    [found] = await fetch(connection, _joined(*(statement.text for statement, _ in asked)), *values)
    return list(found)


class Write(msgspec.Struct, frozen=True):
    """A statement that writes, and its values from ``$1`` on. ``returning`` is a column of what it wrote."""

    statement: str
    values: Sequence[Any]
    returning: str = ""


async def write_together(connection: AsyncConnection, writes: Sequence[Write]) -> list[Any]:
    """Run statements that write as one; return of each how many rows it wrote, or the column that it is returning.

    None of them sees what the others write, and no two may write the same row. Constraints hold at the end of all.
    """
    if not writes:
        return []
    values = [value for write in writes for value in write.values]
    [found] = await fetch(connection, _written(*((write.statement, write.returning) for write in writes)), *values)
    return list(found)


@lru_cache(maxsize=1_000)
def _joined(*statements: str) -> str:
    columns = (f"ARRAY(SELECT ROW(rows.*) FROM ({statement}) AS rows)" for statement in _renumbered(statements))  # noqa: S608  # of statements that are given as text
    return f"SELECT {', '.join(columns)}"


@lru_cache(maxsize=1_000)
def _written(*writes: tuple[str, str]) -> str:
    statements = _renumbered(statement for statement, _ in writes)
    columns = [column for _, column in writes]
    parts = (
        f"part_{place} AS ({statement} RETURNING {column or '1'})"
        for place, (statement, column) in enumerate(zip(statements, columns, strict=True))
    )
    found = (
        f"ARRAY(SELECT {column} FROM part_{place})" if column else f"(SELECT count(*) FROM part_{place})"  # noqa: S608  # the same
        for place, column in enumerate(columns)
    )
    return f"WITH {', '.join(parts)} SELECT {', '.join(found)}"


def _renumbered(statements: Iterable[str]) -> Iterator[str]:
    """Give each statement's parameters the numbers that follow those of the statements before it."""
    before = 0
    for statement in statements:
        yield _NUMBERED.sub(partial(_shift, before), statement)
        before += max((int(number) for number in _NUMBERED.findall(statement)), default=0)


def _shift(by: int, number: "re.Match[str]") -> str:
    return f"${int(number[1]) + by}"


async def fetch(connection: AsyncConnection, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Run one statement, with ``$1`` for the first value; return its rows. It stays prepared."""
    driver = await driver_of(connection)
    try:
        return await driver.fetch(statement, *values)
    except _DRIVER_ERRORS as error:
        await _raise_as_sqlalchemy_would(connection, driver, error, statement)


async def execute(connection: AsyncConnection, statement: str, *values: Any) -> int:
    """Run one statement, with ``$1`` for the first value; return how many rows it wrote. It stays prepared."""
    driver = await driver_of(connection)
    try:
        status: str = await driver.execute(statement, *values)
    except _DRIVER_ERRORS as error:
        await _raise_as_sqlalchemy_would(connection, driver, error, statement)
    return int(status.rpartition(" ")[2])


async def copy_columns(
    connection: AsyncConnection, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> None:
    """Insert rows that are given column by column, each value as the driver takes it; all or none."""
    driver = await driver_of(connection)
    try:
        await driver.copy_records_to_table(table, columns=names, records=zip(*columns, strict=True))
    except _DRIVER_ERRORS as error:
        await _raise_as_sqlalchemy_would(connection, driver, error, f"COPY {table} ({', '.join(names)})")


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection, in the transaction: SQLAlchemy leaves BEGIN to the first statement."""
    sync: Any = connection.sync_connection
    if sync.invalidated:
        await connection.exec_driver_sql("SELECT 1")  # which says that it was lost
    adapted: Any = sync.connection.dbapi_connection
    driver: asyncpg.Connection = adapted.driver_connection
    if adapted.autocommit or driver.is_in_transaction():
        return driver
    if not sync.in_transaction():
        await connection.exec_driver_sql("SELECT 1")  # which begins one that SQLAlchemy knows of
        return driver
    try:
        await adapted._start_transaction()  # noqa: SLF001  # as its cursors do: any statement would be one more round trip
    except (adapted.dbapi.Error, OSError, TimeoutError) as error:
        await _raise_as_sqlalchemy_would(connection, driver, error.__cause__ or error, "BEGIN")
    return driver


async def _raise_as_sqlalchemy_would(
    connection: AsyncConnection, driver: asyncpg.Connection, error: BaseException, statement: str
) -> NoReturn:
    """Raise SQLAlchemy's error of a driver's one. A connection that did not answer in time is closed."""
    if isinstance(error, OSError):  # TimeoutError is one
        driver.terminate()
        await connection.invalidate(error)
        raise error
    dbapi: Any = connection.dialect.loaded_dbapi
    lost = driver.is_closed() or isinstance(error, _LOST)
    if lost:
        driver.terminate()
        await connection.invalidate(error)
    kind = {
        asyncpg.IntegrityConstraintViolationError: dbapi.IntegrityError,
        asyncpg.SyntaxOrAccessError: dbapi.ProgrammingError,
        asyncpg.InterfaceError: dbapi.InterfaceError,
        _LOST: dbapi.InterfaceError,
    }
    adapted = next((kind[base] for base in type(error).__mro__ if base in kind), dbapi.Error)(error.args[0], error)
    raise DBAPIError.instance(
        statement, None, adapted, dbapi.Error, connection_invalidated=lost, dialect=connection.dialect
    ) from error
