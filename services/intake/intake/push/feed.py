"""The pushes as they are read: by pages, in the order of their ids, up to the fence; and how old ones are forgotten.

A page looks at so many ids and no more, whoever they belong to, so that no read takes long.
"""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push.records import Push
from intake.push.tables import SEQUENCE
from kit import fence
from kit.driver import fetch
from kit.fence import Horizon

PAGE_IDS: Final = 2_000

_COLUMNS: Final = "id, created_at, client, application_id, applicant, type, data"
_PAGE: Final = f"SELECT {_COLUMNS} FROM pushes WHERE id > $1 AND id <= $2 ORDER BY id"  # noqa: S608  # our own names
_PAGE_OF_CLIENT: Final = f"SELECT {_COLUMNS} FROM pushes WHERE id > $1 AND id <= $2 AND client = $3 ORDER BY id"  # noqa: S608
_FORGOTTEN: Final = "SELECT coalesce(max(up_to), 0) FROM pushes_forgotten"
_FORGET: Final = text(
    """
    WITH oldest AS (SELECT id, created_at FROM pushes ORDER BY id LIMIT :limit)
    DELETE FROM pushes USING oldest WHERE pushes.id = oldest.id AND oldest.created_at < :before RETURNING pushes.id
    """
)
_NOTE_FORGOTTEN: Final = text("INSERT INTO pushes_forgotten (up_to) VALUES (:up_to)")
_DROP_NOTES: Final = text("DELETE FROM pushes_forgotten WHERE up_to < :up_to")


class Page(msgspec.Struct, frozen=True):
    """What lies after one id and up to ``end``, which is looked at whole."""

    pushes: list[Push]
    end: int


def horizon() -> Horizon:
    """Return the fence of the pushes, not looked at yet."""
    return Horizon(SEQUENCE)


async def page(connection: AsyncConnection, after: int, until: int, client: str | None = None) -> Page:
    """Return the pushes after one id and up to another (of one client, if given), at most PAGE_IDS ids further."""
    end = min(until, after + PAGE_IDS)
    if client is None:
        rows = await fetch(connection, _PAGE, after, end)
    else:
        rows = await fetch(connection, _PAGE_OF_CLIENT, after, end, client)
    return Page([Push(**row) for row in rows], end)


async def last_drawn(connection: AsyncConnection) -> int:
    """Return the last id that anybody drew."""
    return await fence.last_id(connection, SEQUENCE)


async def forgotten(connection: AsyncConnection) -> int:
    """Return the id up to which pushes were forgotten, 0 where none was."""
    [[up_to]] = await fetch(connection, _FORGOTTEN)
    return int(up_to)


async def forget(connection: AsyncConnection, before: datetime, limit: int = 5_000) -> int:
    """Forget some of what was written before a moment, the oldest first; return how many."""
    ids = (await connection.execute(_FORGET, {"before": before, "limit": limit})).scalars().all()
    if ids and max(ids) > await forgotten(connection):
        await connection.execute(_DROP_NOTES, {"up_to": max(ids)})
        await connection.execute(_NOTE_FORGOTTEN, {"up_to": max(ids)})
    return len(ids)
