"""Writing many rows in one statement: inserts that fail loudly on what exists, updates by primary key."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, bindparam, insert
from sqlalchemy.ext.asyncio import AsyncConnection

Row = dict[str, Any]


def rows_of(records: Iterable[msgspec.Struct]) -> list[Row]:
    """Return records as rows: field by field, values as they are."""
    return [msgspec.structs.asdict(record) for record in records]


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, all or none; an IntegrityError says that one of them was there already."""
    if rows:
        await connection.execute(insert(table), rows)


async def update_rows(connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Update rows, all columns by primary key. The rows must have been loaded under a lock."""
    if not rows:
        return
    keys = {column.name for column in table.primary_key}
    found = [table.c[name] == bindparam(f"new_{name}") for name in sorted(keys)]
    changes: Row = {name: bindparam(f"new_{name}") for name in rows[0] if name not in keys}
    values = [{f"new_{name}": value for name, value in row.items()} for row in rows]
    await connection.execute(table.update().where(*found).values(changes), values)
