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

from kit.database import gathering, to_json
from kit.driver import Write, copy_columns, execute, fetch, write_together

Row = dict[str, Any]
Processor = Callable[[Any], Any]
Returned = Callable[[list[Any]], None]

_FEWEST_COPIED: Final = 2  # one row alone costs a tenth more by COPY, two already cost less
_MOST_GATHERED: Final = 16  # of a table; more are copied, whatever a round trip costs


def rows_of(records: Iterable[msgspec.Struct]) -> list[Row]:
    """Return records as rows: field by field, values as they are."""
    return [msgspec.structs.asdict(record) for record in records]


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, all or none; an IntegrityError says that one of them was there already.

    All rows have the same columns. Those that they leave out get the default that the server has for them.
    """
    writes = Writes(connection)
    writes.insert_rows(table, rows)
    await writes.make()


async def insert_records(connection: AsyncConnection, table: Table, records: Sequence[msgspec.Struct]) -> None:
    """Insert records of one kind, as ``insert_rows`` does, without making a row of each first."""
    writes = Writes(connection)
    writes.insert_records(table, records)
    await writes.make()


async def update_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Row], before: Sequence[Row] | None = None
) -> None:
    """Update the columns that the rows name, by primary key. The rows must have been loaded under a lock.

    All rows have the same columns. Raises LookupError when a row is not there, or is given twice.

    ``before`` has each row as it was loaded. A document (JSONB) that is the same object as then is left as it stands:
    neither sent, parsed, compressed nor stored again, which is most of what an update of a long row costs. So whoever
    gives it replaces documents and never changes one in place.
    """
    writes = Writes(connection)
    writes.update_rows(table, rows, before)
    await writes.make()


class _Insert(msgspec.Struct, frozen=True):
    table: Table
    names: tuple[str, ...]
    columns: Sequence[Sequence[Any]]


class _Update(msgspec.Struct, frozen=True):
    table: Table
    statement: str
    values: Sequence[Any]
    rows: int


class _Run(msgspec.Struct, frozen=True):
    write: Write
    returned: Returned


class Writes:
    """Writes of one transaction that are gathered, and made in one round trip where they are of few rows.

    They are made in the order in which they were given, but none sees what the others write; no two may write the same
    row. So what must not be there any more when something else is written has to be made before. A transaction that
    ends while some are not made is rolled back (``database.Database``).
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._gathered: list[_Insert | _Update | _Run] = []
        gathering(connection, self._gathered)

    def run(self, statement: str, values: Sequence[Any]) -> None:
        """Run a statement with its values from ``$1`` on."""
        self.run_returning(statement, values, "", lambda _: None)

    def run_returning(self, statement: str, values: Sequence[Any], column: str, returned: Returned) -> None:
        """Run a statement; ``returned`` is called with the column of each row that it wrote."""
        self._gathered.append(_Run(Write(statement, values, column), returned))

    def insert_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """See the function of this name."""
        if rows:
            names = tuple(rows[0])
            self.insert_columns(table, names, _values(table, rows))

    def insert_records(self, table: Table, records: Sequence[msgspec.Struct]) -> None:
        """See the function of this name."""
        if records:
            names = records[0].__struct_fields__
            self.insert_columns(table, names, list(zip(*map(msgspec.structs.astuple, records), strict=True)))

    def insert_columns(self, table: Table, names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> None:
        """Insert rows that are given column by column."""
        self._gathered.append(_Insert(table, names, columns))

    def update_rows(self, table: Table, rows: Sequence[Row], before: Sequence[Row] | None = None) -> None:
        """See the function of this name."""
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
        dialect = self.connection.dialect
        columns = _processed(_values(table, rows), _processors(dialect, table, names, lists=to_json))
        statement = _update(dialect, table, names, documents)
        self._gathered.append(_Update(table, statement, [*columns, *kept, len(rows)], len(rows)))

    async def make(self) -> None:
        """Make them. Raises what the functions of the same names do; nothing counts then but a rollback."""
        gathered = self._gathered.copy()
        self._gathered.clear()
        if len(gathered) == 1 or any(_is_many(each) for each in gathered):
            for each in gathered:
                await self._make_alone(each)
            return
        writes = [self._written(each) for each in gathered]
        for each, written in zip(gathered, await write_together(self.connection, writes), strict=True):
            _check(each, written)

    def _written(self, each: _Insert | _Update | _Run) -> Write:
        match each:
            case _Insert():
                return Write(*_few(self.connection.dialect, each))
            case _Update():
                return Write(each.statement, each.values)
            case _Run():
                return each.write

    async def _make_alone(self, each: _Insert | _Update | _Run) -> None:
        if isinstance(each, _Run):
            write = each.write
            if write.returning:
                rows = await fetch(self.connection, f"{write.statement} RETURNING {write.returning}", *write.values)
                _check(each, [value for (value,) in rows])
            else:
                await execute(self.connection, write.statement, *write.values)
        elif isinstance(each, _Update):
            _check(each, await execute(self.connection, each.statement, *each.values))
        elif len(each.columns[0]) < _FEWEST_COPIED:
            await execute(self.connection, *_one(self.connection.dialect, each))
        else:
            columns = _processed(each.columns, _processors(self.connection.dialect, each.table, each.names))
            await copy_columns(self.connection, each.table.name, each.names, columns)


def _is_many(write: _Insert | _Update | _Run) -> bool:
    return isinstance(write, _Insert) and len(write.columns[0]) > _MOST_GATHERED


def _check(write: _Insert | _Update | _Run, written: Any) -> None:
    if isinstance(write, _Run) and write.write.returning:
        write.returned(written)
    if isinstance(write, _Update) and written != write.rows:
        raise LookupError(f"of {write.rows} rows of {write.table.name} that were to be updated, {written} were found")


# --- values: one list per column, each value as the driver takes it -----------------------------------------


def _values(table: Table, rows: Sequence[Row]) -> list[Sequence[Any]]:
    names = list(rows[0])
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"the rows for {table.name} must have the same columns: {', '.join(names)}")
    return [[row[name] for row in rows] for name in names]


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


def _one(dialect: Dialect, insert: _Insert) -> tuple[Any, ...]:
    """Return the statement that inserts one row, and its values."""
    columns = _processed(insert.columns, _processors(dialect, insert.table, insert.names))
    return _insert_one(dialect, insert.table, insert.names), *(column[0] for column in columns)


def _few(dialect: Dialect, insert: _Insert) -> tuple[str, Sequence[Any]]:
    """Return the statement that inserts some rows, and its values."""
    processors = _processors(dialect, insert.table, insert.names, lists=to_json)
    return _insert_some(dialect, insert.table, insert.names), _processed(insert.columns, processors)


@lru_cache(maxsize=256)
def _insert_one(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    quote = dialect.identifier_preparer.quote
    values = ", ".join(f"CAST(${i} AS {table.c[name].type.compile(dialect)})" for i, name in enumerate(names, 1))
    return f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) VALUES ({values})"  # noqa: S608


@lru_cache(maxsize=256)
def _insert_some(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    quote = dialect.identifier_preparer.quote
    listed = ", ".join(map(quote, names))
    arrays = ", ".join(f"CAST(${i} AS {_sent(table.c[name], dialect)}[])" for i, name in enumerate(names, 1))
    values = ", ".join(_received(table.c[name], dialect) for name in names)
    return f"INSERT INTO {quote(table.name)} ({listed}) SELECT {values} FROM unnest({arrays}) AS given({listed})"  # noqa: S608


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
