"""When topics or a database were lost: send the outbox again, read a topic again. The inbox makes both harmless.

Sending again begins at most as far back as the outbox is kept. Reading again is safe for as long as the inbox
remembers, which is a week longer (``kit.delivery_ddl``).
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.database import Database
from kit.logging import get_logger

log = get_logger(__name__)

# The relay that holds the lease is fenced by the raised token; it, or another one, goes on at the new cursor.
_REWIND: Final = text(
    """
    UPDATE relay SET token = token + 1, expires_at = '-infinity', cursor = least(cursor, (
      SELECT coalesce(min(id) - 1, cursor) FROM outbox WHERE created_at >= :since))
    WHERE name = 'outbox' RETURNING cursor
    """
)
_WAITING: Final = text("SELECT count(*) FROM outbox WHERE id > :cursor")
# Whoever reads the partition now is fenced by the raised epoch; it, or another one, starts at the beginning.
_REREAD: Final = text(
    """
    UPDATE consumer_offset SET next_offset = 0, epoch = epoch + 1
    WHERE consumer_group = :group AND topic = :topic
    """
)
# A topic that was made anew counts from 0 again: what was parked of the old one must not stand where new events come.
# It is moved before them in two steps, because each row of a statement is checked against those not moved yet.
_AWAY: Final = 1_000_000_000_000_000_000
_ROOM: Final = 1_000_000_000_000
_MOVE_PARKED: Final = text('UPDATE parked SET "offset" = "offset" + :by WHERE topic = :topic')
_AUDIT: Final = text(
    """
    INSERT INTO redrive_audit (who, why, action, topic, key, handled)
    VALUES (:who, :why, :action, :topic, '', :handled)
    """
)


async def resend(database: Database, since: datetime, *, who: str, why: str, dry_run: bool) -> int:
    """Publish again what the outbox has from ``since`` on, in order, ids as they were; return how many events."""
    async with database.engine.connect() as connection, connection.begin() as transaction:
        cursor = (await connection.execute(_REWIND, {"since": since})).scalar_one()
        events = int((await connection.execute(_WAITING, {"cursor": cursor})).scalar_one())
        await _audit(connection, who, why, action="resend", topic="", handled=events)
        if dry_run:
            await transaction.rollback()
    log.warning("resend", events=events, cursor=cursor, who=who, why=why, dry_run=dry_run)
    return events


async def reread(database: Database, group: str, topic: str, *, who: str, why: str, dry_run: bool) -> int:
    """Read a topic again from its beginning; return how many partitions were begun before."""
    async with database.engine.connect() as connection, connection.begin() as transaction:
        partitions = int((await connection.execute(_REREAD, {"group": group, "topic": topic})).rowcount)
        for by in (_AWAY, -_AWAY - _ROOM):
            await connection.execute(_MOVE_PARKED, {"topic": topic, "by": by})
        await _audit(connection, who, why, action="reread", topic=topic, handled=partitions)
        if dry_run:
            await transaction.rollback()
    log.warning("reread", topic=topic, partitions=partitions, who=who, why=why, dry_run=dry_run)
    return partitions


async def _audit(connection: AsyncConnection, who: str, why: str, **what: Any) -> None:
    await connection.execute(_AUDIT, {"who": who, "why": why, **what})
