"""The deadlines of assessments: what is due, what waits, and what became of the missed ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from eligibility.records import Assessment
from kit.clocks import Waiting

_DUE: Final = text(
    """
    SELECT application_id FROM assessments WHERE due_at <= :now AND missed_at IS NULL
    ORDER BY due_at, application_id LIMIT :limit
    """
)
_WAITING: Final = text(
    """
    SELECT coalesce(waits_for, 'decision') AS kind, count(*) AS open, min(due_at) AS earliest_due FROM assessments
    WHERE due_at IS NOT NULL GROUP BY 1
    """
)
_STORE: Final = text(
    """
    UPDATE assessments AS a SET waits_for = u.waits_for, due_at = u.due_at, missed_at = u.missed_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:waits_for AS text[]), CAST(:due_at AS timestamptz[]),
      CAST(:missed_at AS timestamptz[])) AS u(id, waits_for, due_at, missed_at)
    WHERE a.application_id = u.id
    """
)


async def due(connection: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
    """Return the applications whose deadline has passed and was not acted on, the longest overdue first; no lock."""
    return list((await connection.execute(_DUE, {"now": now, "limit": limit})).scalars())


async def waiting(connection: AsyncConnection) -> Mapping[str, Waiting]:
    """Return how many wait for what, and the earliest deadline of each."""
    rows = await connection.execute(_WAITING)
    return {row.kind: Waiting(row.open, row.earliest_due) for row in rows}


async def store(connection: AsyncConnection, missed: Sequence[Assessment]) -> None:
    """Store the clocks of locked assessments."""
    if not missed:
        return
    values = {
        "ids": [one.application_id for one in missed],
        "waits_for": [one.waits_for for one in missed],
        "due_at": [one.due_at for one in missed],
        "missed_at": [one.missed_at for one in missed],
    }
    await connection.execute(_STORE, values)
