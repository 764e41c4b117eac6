"""Whose turn it is: one process at a time reconciles, and all together not more often than asked for."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LONGEST_SECONDS: Final = 120.0
"""Whoever was not heard of for so long is taken for dead. Two at a time would do no harm, only the work twice."""
KEEP_EVERY_SECONDS: Final = 30.0

_TAKE: Final = text(
    """
    INSERT INTO reconciliation_turns AS turn (name, taken_at) VALUES (:name, now())
    ON CONFLICT (name) DO UPDATE SET taken_at = now(), done_at = NULL
    WHERE turn.taken_at <= now() - CASE WHEN turn.done_at IS NULL
      THEN make_interval(secs => :longest) ELSE make_interval(secs => :every) END
    """
)
_KEEP: Final = text("UPDATE reconciliation_turns SET taken_at = now() WHERE name = :name AND done_at IS NULL")
_DONE: Final = text("UPDATE reconciliation_turns SET done_at = now() WHERE name = :name")


async def take(connection: AsyncConnection, name: str, every_seconds: float) -> bool:
    """Take the turn if it was last taken so long ago, by the database's clock, and is done."""
    values = {"name": name, "every": every_seconds, "longest": max(every_seconds, _LONGEST_SECONDS)}
    return (await connection.execute(_TAKE, values)).rowcount == 1


async def keep(connection: AsyncConnection, name: str) -> None:
    """Say that whoever has the turn is at work: a ledger of years, or one that was never seen, takes minutes."""
    await connection.execute(_KEEP, {"name": name})


async def done(connection: AsyncConnection, name: str) -> None:
    await connection.execute(_DONE, {"name": name})
