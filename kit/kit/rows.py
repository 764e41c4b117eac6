"""Writing many rows in one statement: inserts that fail loudly on what exists, updates by primary key.

Inserts are binary COPY: nothing is written as text or parsed again, and rows are appended by the page. An update takes
one array per column, so that its text depends on the columns alone and stays prepared, however many rows there are.
What was measured, beside other ways: docs/decisions/0010.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import ARRAY, Column, Dialect, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.database import to_json
from kit.driver import copy_columns, execute

Row = dict[str, Any]
Processor = Callable[[Any], Any]

_FEWEST_COPIED: Final = 2  # one row alone costs a tenth more by COPY, two already cost less


def rows_of(records: Iterable[msgspec.Struct]) -> list[Row]:
    """Return records as rows: field by field, values as they are."""
    return [msgspec.structs.asdict(record) for record in records]


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, all or none; an IntegrityError says that one of them was there already.

    All rows have the same columns. Those that they leave out get the default that the server has for them.
    """
    if rows:
        names = tuple(rows[0])
        columns = _columns(table, rows, _processors(connection.dialect, table, names))
        await _insert_columns(connection, table, names, columns)


async def insert_records(connection: AsyncConnection, table: Table, records: Sequence[msgspec.Struct]) -> None:
    """Insert records of one kind, as ``insert_rows`` does, without making a row of each first."""
    if records:
        names = records[0].__struct_fields__
        columns = _processed(
            zip(*map(msgspec.structs.astuple, records), strict=True), _processors(connection.dialect, table, names)
        )
        await _insert_columns(connection, table, names, columns)


async def _insert_columns(
    connection: AsyncConnection, table: Table, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
) -> None:
    if len(columns[0]) < _FEWEST_COPIED:
        await execute(connection, _insert(connection.dialect, table, names), *(column[0] for column in columns))
    else:
        await copy_columns(connection, table.name, names, columns)


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
    updated = await execute(connection, statement, *columns, *kept, len(rows))
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


# --- the statements' texts -----------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _insert(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    """Return the statement that inserts one row."""
    quote = dialect.identifier_preparer.quote
    values = ", ".join(f"CAST(${i} AS {table.c[name].type.compile(dialect)})" for i, name in enumerate(names, 1))
    return f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) VALUES ({values})"  # noqa: S608


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
