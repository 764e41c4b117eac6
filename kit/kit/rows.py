"""Writing many rows in one statement: inserts that fail loudly on what exists, updates by primary key.

Inserts are binary COPY: nothing is written as text or parsed again, and rows are appended by the page. An update takes
one array per column, so that its text depends on the columns alone and stays prepared, however many rows there are.
What was measured, beside other ways: docs/decisions/0010.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NoReturn

import asyncpg
import msgspec
from sqlalchemy import ARRAY, Column, Dialect, Table, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.database import to_json

Row = dict[str, Any]
Processor = Callable[[Any], Any]

_FEWEST_COPIED: Final = 2  # one row alone costs a tenth more by COPY, two already cost less
_DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError)


def rows_of(records: Iterable[msgspec.Struct]) -> list[Row]:
    """Return records as rows: field by field, values as they are."""
    return [msgspec.structs.asdict(record) for record in records]


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, all or none; an IntegrityError says that one of them was there already.

    All rows have the same columns. Those that they leave out get the default that the server has for them.
    """
    if len(rows) < _FEWEST_COPIED:
        if rows:
            await connection.execute(insert(table), rows)
        return
    names = tuple(rows[0])
    columns = _columns(table, rows, _processors(connection.dialect, table, names))
    await copy_columns(connection, table.name, names, columns)


async def insert_records(connection: AsyncConnection, table: Table, records: Sequence[msgspec.Struct]) -> None:
    """Insert records of one kind, as ``insert_rows`` does, without making a row of each first."""
    if len(records) < _FEWEST_COPIED:
        if records:
            await insert_rows(connection, table, rows_of(records))
        return
    names = records[0].__struct_fields__
    columns = _processed(
        zip(*map(msgspec.structs.astuple, records), strict=True), _processors(connection.dialect, table, names)
    )
    await copy_columns(connection, table.name, names, columns)


async def fetch(connection: AsyncConnection, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Run one statement in the transaction, with ``$1`` for the first value; return its rows.

    It stays prepared, and costs a third of what SQLAlchemy's execute does: for statements that each group runs.
    """
    driver = await _driver(connection)
    try:
        return await driver.fetch(statement, *values)
    except _DRIVER_ERRORS as error:
        await _raise_as_sqlalchemy_would(connection, driver, error, statement)


async def copy_columns(
    connection: AsyncConnection, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> None:
    """Insert rows that are given column by column, each value as the driver takes it; all or none."""
    driver = await _driver(connection)
    try:
        await driver.copy_records_to_table(table, columns=names, records=zip(*columns, strict=True))
    except _DRIVER_ERRORS as error:
        await _raise_as_sqlalchemy_would(connection, driver, error, f"COPY {table} ({', '.join(names)})")


async def update_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Row], before: Sequence[Row] | None = None
) -> None:
    """Update the columns that the rows name, by primary key. The rows must have been loaded under a lock.

    All rows have the same columns. Raises LookupError when a row is not there, or is given twice.

    ``before`` has each row as it was loaded. A document (JSONB) that is the same object as then is left as it stands:
    neither sent, parsed, compressed nor stored again, which is most of what an update of a long row costs. So whoever
    gives it replaces documents and never changes one in place.
    """
    if not rows:
        return
    names = tuple(rows[0])
    documents = tuple(name for name in names if before is not None and isinstance(table.c[name].type, JSONB))
    kept: list[list[bool]] = []
    for name in documents:
        assert before is not None, "there are no documents to look at without it"
        same = [row[name] is was[name] for row, was in zip(rows, before, strict=True)]
        kept.append(same)
        rows = [{**row, name: None} if unchanged else row for row, unchanged in zip(rows, same, strict=True)]
    columns = _columns(table, rows, _processors(connection.dialect, table, names, lists=to_json))
    statement = _update(connection.dialect, table, names, documents)
    updated = (await connection.exec_driver_sql(statement, (*columns, *kept, len(rows)))).rowcount
    if updated != len(rows):
        raise LookupError(f"of {len(rows)} rows of {table.name} that were to be updated, {updated} were found")


# --- values: one list per column, each value as the driver takes it -----------------------------------------


def _columns(table: Table, rows: Sequence[Row], processors: Sequence[Processor | None]) -> list[Sequence[Any]]:
    names = list(rows[0])
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"the rows for {table.name} must have the same columns: {', '.join(names)}")
    return _processed(([row[name] for row in rows] for name in names), processors)


def _processed(columns: Iterable[Sequence[Any]], processors: Sequence[Processor | None]) -> list[Sequence[Any]]:
    return [
        column if process is None else [process(value) for value in column]
        for column, process in zip(columns, processors, strict=True)
    ]


@lru_cache(maxsize=256)
def _processors(
    dialect: Dialect, table: Table, names: tuple[str, ...], *, lists: Processor | None = None
) -> tuple[Processor | None, ...]:
    """Return what SQLAlchemy does to a value of each column (JSON becomes text); ``lists`` stands in for lists."""
    types = [table.c[name].type for name in names]
    return tuple(
        lists if lists and isinstance(kind, ARRAY) else kind.dialect_impl(dialect).bind_processor(dialect)
        for kind in types
    )


# --- the update's text ---------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _update(dialect: Dialect, table: Table, names: tuple[str, ...], documents: tuple[str, ...] = ()) -> str:
    """Return the statement, whose last parameter is the number of rows; before it, whether each document is kept.

    That LIMIT takes nothing away. It makes PostgreSQL expect few rows, so that the plan, which is kept, looks each row
    up by its key. Without it, a plan made while a table is small reads the whole table, long after it has grown.
    """
    quote = dialect.identifier_preparer.quote
    types = [*(_sent(table.c[name], dialect) for name in names), *("BOOLEAN" for _ in documents)]
    arrays = ", ".join(f"CAST(${i} AS {kind}[])" for i, kind in enumerate(types, 1))
    given = ", ".join((*map(quote, names), *(quote(f"keeps_{name}") for name in documents)))
    keys = [column.name for column in table.primary_key]
    values = {name: _received(table.c[name], dialect) for name in names if name not in keys}
    for name in documents:  # what is stored, passed on as it is, is not stored anew
        values[name] = f"CASE WHEN given.{quote(f'keeps_{name}')} THEN stored.{quote(name)} ELSE {values[name]} END"
    changes = ", ".join(f"{quote(name)} = {value}" for name, value in values.items())
    found = " AND ".join(f"stored.{quote(name)} = given.{quote(name)}" for name in keys)
    return (
        f"UPDATE {quote(table.name)} AS stored SET {changes} "  # noqa: S608  # our own tables' names, quoted
        f"FROM (SELECT * FROM unnest({arrays}) LIMIT ${len(types) + 1}) AS given({given}) "
        f"WHERE {found}"
    )


def _sent(column: Column[Any], dialect: Dialect) -> str:
    """Return the type in which a value travels. A list goes as JSON, because ``unnest`` would take it apart."""
    return "JSONB" if isinstance(column.type, ARRAY) else column.type.compile(dialect)


def _received(column: Column[Any], dialect: Dialect) -> str:
    value = f"given.{dialect.identifier_preparer.quote(column.name)}"
    if not isinstance(column.type, ARRAY):
        return value
    kind = column.type.compile(dialect)
    return f"CASE WHEN {value} <> 'null' THEN CAST(ARRAY(SELECT jsonb_array_elements_text({value})) AS {kind}) END"


# --- the driver's own connection, and its errors as SQLAlchemy's ---------------------------------------------


async def _driver(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the asyncpg connection, in the transaction: SQLAlchemy sends BEGIN with the first statement it sees."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)
    if not driver.is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")
    return driver


async def _raise_as_sqlalchemy_would(
    connection: AsyncConnection, driver: asyncpg.Connection, error: Exception, statement: str
) -> NoReturn:
    """Raise what ``connection.execute`` would: callers tell errors apart by SQLAlchemy's classes and the SQLSTATE."""
    dbapi: Any = connection.dialect.loaded_dbapi
    lost = driver.is_closed()
    if lost:
        await connection.invalidate(error)
    kind = {
        asyncpg.IntegrityConstraintViolationError: dbapi.IntegrityError,
        asyncpg.SyntaxOrAccessError: dbapi.ProgrammingError,
        asyncpg.InterfaceError: dbapi.InterfaceError,
    }
    adapted = next((kind[base] for base in type(error).__mro__ if base in kind), dbapi.Error)(error.args[0], error)
    raise DBAPIError.instance(
        statement, None, adapted, dbapi.Error, connection_invalidated=lost, dialect=connection.dialect
    ) from error
