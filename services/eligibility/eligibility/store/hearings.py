"""What was said about applications, appeals against their rejection, and the decisions that were made before."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Reason
from contracts.money import Money
from eligibility.appeals import Lodged, Upheld
from eligibility.hearing import Statement
from eligibility.records import Assessment
from kit.database import to_json

_SAY: Final = text(
    """
    INSERT INTO statements (application_id, position, document)
    SELECT CAST(:id AS uuid), count(*) + 1, CAST(:document AS jsonb) FROM statements WHERE application_id = :id
    """
)
_SAID: Final = text(
    """
    SELECT application_id, document FROM statements WHERE application_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY application_id, position
    """
)
_LODGE: Final = text(
    "INSERT INTO appeals (application_id, grounds, lodged_at) VALUES (:id, :grounds, :at) "
    "ON CONFLICT (application_id) DO NOTHING"
)
_APPEAL: Final = text("SELECT grounds, lodged_at, decided_at, upheld, outcome FROM appeals WHERE application_id = :id")
_UPHELD: Final = text(
    "SELECT application_id, outcome FROM appeals WHERE application_id = ANY(CAST(:ids AS uuid[])) AND upheld"
)
_SETTLE: Final = text(
    """
    UPDATE appeals SET decided_at = :at, upheld = :upheld, outcome = CAST(:outcome AS jsonb)
    WHERE application_id = :id AND decided_at IS NULL
    """
)
_KEEP: Final = text(
    """
    INSERT INTO earlier_decisions (application_id, position, document)
    SELECT CAST(:id AS uuid), count(*) + 1, CAST(:document AS jsonb) FROM earlier_decisions WHERE application_id = :id
    """
)
_EARLIER: Final = text(
    """
    SELECT application_id, document FROM earlier_decisions WHERE application_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY application_id, position
    """
)


class _Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier decision is kept of: with the submission, which never changes, it can be made again."""

    policy_version: str
    outcome: Literal["approved", "rejected"]
    approved: Money | None
    cap_holder: str | None
    reasons: tuple[Reason, ...]
    facts: dict[str, dict[str, Any]]
    decided_at: datetime
    because: str


class Earlier(NamedTuple):
    """A decision that a later one replaced, as it stood, and why it was opened again."""

    decided: Assessment
    because: str


# --- statements: the application's row is locked by whoever adds one --------------------------------------------


async def say(connection: AsyncConnection, statements: Sequence[tuple[UUID, Statement]]) -> None:
    """Add what was said, in order; each application's row is locked."""
    for application_id, statement in statements:
        await connection.execute(_SAY, {"id": application_id, "document": to_json(statement)})


async def statements_of(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, list[Statement]]:
    """Return what was said about these applications; those of which nothing was said are left out."""
    found: defaultdict[UUID, list[Statement]] = defaultdict(list)
    for row in await connection.execute(_SAID, {"ids": sorted(ids)}):
        found[row.application_id].append(msgspec.convert(row.document, Statement))
    return found


# --- appeals ---------------------------------------------------------------------------------------------------


async def lodge(connection: AsyncConnection, appeals: Mapping[UUID, Lodged]) -> None:
    """Keep appeals; of an application there is one."""
    for application_id, appeal in sorted(appeals.items()):
        await connection.execute(_LODGE, {"id": application_id, "grounds": appeal.grounds, "at": appeal.lodged_at})


async def appeal(connection: AsyncConnection, application_id: UUID) -> Lodged | None:
    """Return the appeal against an application's rejection, or None."""
    row = (await connection.execute(_APPEAL, {"id": application_id})).first()
    return None if row is None else Lodged(grounds=row.grounds, lodged_at=row.lodged_at, decided_at=row.decided_at)


async def upheld_of(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Upheld]:
    """Return what the appeals came to that were upheld."""
    rows = await connection.execute(_UPHELD, {"ids": sorted(ids)})
    return {row.application_id: msgspec.convert(row.outcome, Upheld) for row in rows}


async def settle_appeal(
    connection: AsyncConnection, application_id: UUID, outcome: Upheld, at: datetime, *, upheld: bool
) -> None:
    """Keep what an appeal came to."""
    values = {"id": application_id, "at": at, "upheld": upheld, "outcome": to_json(outcome)}
    await connection.execute(_SETTLE, values)


# --- earlier decisions -----------------------------------------------------------------------------------------


async def keep_decision(connection: AsyncConnection, decided: Assessment, because: str) -> None:
    """Keep a decision before it is made anew: a correction keeps the old one (domain.md, rule 11)."""
    fields = {name: getattr(decided, name) for name in _Decision.__struct_fields__ if name != "because"}
    document = to_json(_Decision(**fields, because=because))
    await connection.execute(_KEEP, {"id": decided.application_id, "document": document})


async def earlier_of(connection: AsyncConnection, ones: Sequence[Assessment]) -> list[Earlier]:
    """Return the decisions that were made on these applications before."""
    by_id = {one.application_id: one for one in ones}
    rows = await connection.execute(_EARLIER, {"ids": sorted(by_id)}) if by_id else ()
    return [_earlier(by_id[row.application_id], msgspec.convert(row.document, _Decision)) for row in rows]


def _earlier(one: Assessment, kept: _Decision) -> Earlier:
    fields = msgspec.structs.asdict(kept)
    because = fields.pop("because")
    return Earlier(msgspec.structs.replace(one, status="decided", **fields), because)
