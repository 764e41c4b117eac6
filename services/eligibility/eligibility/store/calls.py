"""Ranking calls: what takes part, the panel's scores, and what a ranking came to."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility.ranking import Placed
from kit.database import to_json

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:call, 0))")
_MEMBERS: Final = text(
    """
    SELECT application_id, waits_for, status FROM assessments
    WHERE scheme = :scheme AND policy_version = :version AND status IN ('pending', 'waiting')
    ORDER BY application_id
    """
)
_SCORES: Final = text(
    """
    SELECT application_id, panellist, score FROM panel_scores AS s
    WHERE application_id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
      SELECT FROM interests AS i JOIN assessments AS a ON a.application_id = s.application_id
      WHERE i.officer = s.panellist AND i.applicant = a.applicant)
    """
)
_SCORE: Final = text(
    """
    INSERT INTO panel_scores (application_id, panellist, score, comment, scored_at)
    VALUES (:application_id, :panellist, :score, :comment, :at)
    ON CONFLICT (application_id, panellist) DO UPDATE
      SET score = excluded.score, comment = excluded.comment, scored_at = excluded.scored_at
    """
)
_PLACES: Final = text(
    "SELECT application_id, document FROM placements WHERE application_id = ANY(CAST(:ids AS uuid[]))"
)
_FIND: Final = text("SELECT document FROM rankings WHERE scheme = :scheme AND version = :version")
_RANKED: Final = text(
    """
    SELECT scheme, version FROM rankings WHERE (scheme, version) IN (
      SELECT * FROM unnest(CAST(:schemes AS text[]), CAST(:versions AS text[])))
    """
)
_RANK: Final = text(
    """
    INSERT INTO rankings (scheme, version, document, decided_by, decided_at)
    VALUES (:scheme, :version, CAST(:document AS jsonb), :by, :at)
    """
)
_PLACE: Final = text(
    """
    INSERT INTO placements (application_id, scheme, version, document)
    VALUES (:application_id, :scheme, :version, CAST(:document AS jsonb))
    """
)
_WAKE: Final = text(
    """
    UPDATE assessments SET next_try_at = now()
    WHERE scheme = :scheme AND policy_version = :version AND status IN ('pending', 'waiting')
    """
)


async def lock(connection: AsyncConnection, scheme: str, version: str) -> None:
    """Let nobody else score or rank in this call until this transaction ends."""
    await connection.execute(_LOCK, {"call": f"call {scheme} {version}"})


async def members(connection: AsyncConnection, scheme: str, version: str) -> dict[UUID, str | None]:
    """Return the open applications of a call, with whom each waits for."""
    rows = await connection.execute(_MEMBERS, {"scheme": scheme, "version": version})
    return {row.application_id: row.waits_for for row in rows}


async def scores(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """Return the scores that count, by application and panellist: not those of persons with an interest."""
    found: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    for row in await connection.execute(_SCORES, {"ids": sorted(ids)}):
        found[row.application_id][row.panellist] = row.score
    return found


async def score(
    connection: AsyncConnection, application_id: UUID, panellist: str, points: int, comment: str, at: datetime
) -> None:
    """Keep a score; a person's later one replaces the earlier."""
    values = {"application_id": application_id, "panellist": panellist, "score": points, "comment": comment, "at": at}
    await connection.execute(_SCORE, values)


async def places(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = await connection.execute(_PLACES, {"ids": sorted(ids)})
    return {row.application_id: row.document for row in rows}


async def find(connection: AsyncConnection, scheme: str, version: str) -> list[dict[str, Any]] | None:
    """Return the ranking of a call; None before it was ranked."""
    row = (await connection.execute(_FIND, {"scheme": scheme, "version": version})).first()
    return None if row is None else list(row.document)


async def ranked(connection: AsyncConnection, versions: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of these calls were ranked."""
    schemes, names = zip(*sorted(versions), strict=True)
    rows = await connection.execute(_RANKED, {"schemes": list(schemes), "versions": list(names)})
    return {(row.scheme, row.version) for row in rows}


async def store(
    connection: AsyncConnection, scheme: str, version: str, placed: Sequence[Placed], by: str, at: datetime
) -> None:
    """Store a ranking and every place in it, and have all its applications decided now."""
    place = {"scheme": scheme, "version": version}
    ranking = place | {"document": to_json(to_builtins(placed)), "by": by, "at": at}
    await connection.execute(_RANK, ranking)
    rows = [place | {"application_id": one.application_id, "document": to_json(to_builtins(one))} for one in placed]
    if rows:
        await connection.execute(_PLACE, rows)
    await connection.execute(_WAKE, place)
