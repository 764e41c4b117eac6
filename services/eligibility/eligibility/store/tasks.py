"""What waits for persons, and what they decided, declared and did."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Text
from eligibility.records import Task
from eligibility.review import Vote
from kit.database import to_json
from kit.driver import execute

_COLUMNS: Final = """
    task_id, kind, application_id, claim_id, scheme, applicant, opened_at, due_at, holder, claimed_at, closed_at,
    outcome
"""
_OPEN: Final = text(
    """
    INSERT INTO tasks (task_id, kind, application_id, claim_id, scheme, applicant, opened_at, due_at)
    VALUES (:task_id, :kind, :application_id, :claim_id, :scheme, :applicant, :opened_at, :due_at)
    ON CONFLICT (coalesce(claim_id, application_id), kind) WHERE closed_at IS NULL DO NOTHING
    """
)
_CLOSE: Final = text(
    """
    UPDATE tasks SET closed_at = now(), outcome = u.outcome
    FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[])) AS u(id, outcome)
    WHERE closed_at IS NULL AND coalesce(claim_id, application_id) = u.id
    """
)
_CLOSE_OTHERS: Final = """
UPDATE tasks SET closed_at = now(), outcome = u.outcome
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u(id, outcome, kind)
WHERE closed_at IS NULL AND coalesce(claim_id, application_id) = u.id AND tasks.kind IS DISTINCT FROM u.kind
"""
_FIND: Final = text(f"SELECT {_COLUMNS} FROM tasks WHERE task_id = :id")  # noqa: S608  # the columns are a constant
_LOCK: Final = text(f"SELECT {_COLUMNS} FROM tasks WHERE task_id = :id FOR UPDATE")  # noqa: S608
_PAGE: Final = text(
    f"""
    SELECT {_COLUMNS} FROM tasks
    WHERE (CAST(:after AS uuid) IS NULL OR task_id > :after)
      AND (CAST(:scheme AS text) IS NULL OR scheme = :scheme)
      AND (CAST(:holder AS text) IS NULL OR holder = :holder)
      AND (CAST(:open AS boolean) IS NULL OR (closed_at IS NULL) = :open)
      AND NOT EXISTS (SELECT FROM interests AS i WHERE i.officer = :reader AND i.applicant = tasks.applicant)
    ORDER BY task_id LIMIT :limit
    """  # noqa: S608
)
_HOLD: Final = text("UPDATE tasks SET holder = :holder, claimed_at = :at WHERE task_id = :id")
_VOTES: Final = text(
    """
    SELECT subject, officer, approve, amount, reasons, at, facts FROM votes AS v
    WHERE subject = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
      SELECT FROM interests AS i WHERE i.officer = v.officer AND i.applicant = :applicant)
    ORDER BY at, officer
    """
)
_ALL_VOTES: Final = text(
    """
    SELECT subject, officer, approve, amount, v.reasons, at, v.facts FROM votes AS v
    JOIN assessments AS a ON a.application_id = v.subject
    WHERE subject = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
      SELECT FROM interests AS i WHERE i.officer = v.officer AND i.applicant = a.applicant)
    ORDER BY at, officer
    """
)
_VOTE: Final = text(
    """
    INSERT INTO votes (subject, officer, approve, amount, reasons, at, facts)
    VALUES (:subject, :officer, :approve, :amount, CAST(:reasons AS jsonb), :at, :facts)
    """
)
_INTEREST: Final = text("SELECT 1 FROM interests WHERE officer = :officer AND applicant = :applicant")
_DECLARE: Final = text(
    """
    INSERT INTO interests (officer, applicant, why, declared_at) VALUES (:officer, :applicant, :why, :at)
    ON CONFLICT (officer, applicant) DO NOTHING
    """
)
_AUDIT: Final = text(
    """
    INSERT INTO audit (at, who, what, application_id, claim_id, task_id, facts, data)
    VALUES (:at, :who, :what, :application_id, :claim_id, :task_id, :facts, CAST(:data AS jsonb))
    """
)
_READ_AUDIT: Final = text(
    """
    SELECT id, at, who, what, application_id, claim_id, task_id, facts, data FROM audit
    WHERE id > :after AND (CAST(:application_id AS uuid) IS NULL OR application_id = :application_id)
    ORDER BY id LIMIT :limit
    """
)
_RELEASE_OF: Final = text(
    "UPDATE tasks SET holder = NULL, claimed_at = NULL WHERE holder = :officer AND applicant = :applicant "
    "AND closed_at IS NULL"
)
_WAKE: Final = text(
    "UPDATE assessments SET next_try_at = now() WHERE application_id = :id AND status IN ('pending', 'waiting')"
)
_WAKE_OF: Final = text(
    "UPDATE assessments SET next_try_at = now() WHERE applicant = :applicant AND status IN ('pending', 'waiting')"
)


async def open_all(connection: AsyncConnection, tasks: Sequence[Task]) -> None:
    """Open tasks; one that is open already for the same thing stays as it is."""
    if tasks:
        await connection.execute(_OPEN, [msgspec.structs.asdict(task) for task in tasks])


async def close_all(connection: AsyncConnection, outcomes: Mapping[UUID, str]) -> None:
    """Close the open tasks of these applications or claims."""
    if outcomes:
        await connection.execute(_CLOSE, {"ids": list(outcomes), "outcomes": list(outcomes.values())})


async def close_others(connection: AsyncConnection, outcomes: Mapping[UUID, str], wanted: Sequence[Task]) -> None:
    """Close the open tasks of these applications, but those that are wanted."""
    kinds: dict[UUID, str] = {task.application_id: task.kind for task in wanted}
    if outcomes:
        await execute(
            connection, _CLOSE_OTHERS, list(outcomes), list(outcomes.values()), [kinds.get(key) for key in outcomes]
        )


async def find(connection: AsyncConnection, task_id: UUID) -> Task | None:
    return _task((await connection.execute(_FIND, {"id": task_id})).first())


async def lock(connection: AsyncConnection, task_id: UUID) -> Task | None:
    return _task((await connection.execute(_LOCK, {"id": task_id})).first())


async def page(
    connection: AsyncConnection,
    *,
    reader: str,
    scheme: str | None,
    holder: str | None,
    is_open: bool | None,
    after: UUID | None,
    limit: int,
) -> list[Task]:
    """Return tasks in the order of their opening, but those of companies in which the reader has an interest."""
    values = {
        "reader": reader,
        "scheme": scheme,
        "holder": holder,
        "open": is_open,
        "after": after,
        "limit": limit,
    }
    return [task for row in await connection.execute(_PAGE, values) if (task := _task(row))]


async def hold(connection: AsyncConnection, task_id: UUID, holder: str | None, at: datetime | None) -> None:
    await connection.execute(_HOLD, {"id": task_id, "holder": holder, "at": at})


# --- votes -------------------------------------------------------------------------------------------------


async def votes_of(connection: AsyncConnection, subjects: Iterable[UUID]) -> dict[UUID, list[Vote]]:
    """Return the votes on applications, in their order; those of persons who declared an interest do not count."""
    found: defaultdict[UUID, list[Vote]] = defaultdict(list)
    for row in await connection.execute(_ALL_VOTES, {"ids": sorted(subjects)}):
        found[row.subject].append(_vote(row))
    return found


async def votes_on(connection: AsyncConnection, subject: UUID, applicant: str) -> list[Vote]:
    """Return the votes on one application or claim of a company."""
    rows = await connection.execute(_VOTES, {"ids": [subject], "applicant": applicant})
    return [_vote(row) for row in rows]


async def vote(connection: AsyncConnection, subject: UUID, given: Vote) -> None:
    """Keep a vote. An IntegrityError says that this person has voted on the same facts before."""
    values = msgspec.structs.asdict(given) | {"subject": subject, "reasons": to_json(given.reasons)}
    await connection.execute(_VOTE, values)


async def wake(connection: AsyncConnection, application_id: UUID) -> None:
    """Let the assessor look at an application now; waits for a transaction that is deciding it."""
    await connection.execute(_WAKE, {"id": application_id})


# --- interests and audit -----------------------------------------------------------------------------------


async def has_interest(connection: AsyncConnection, officer: str, applicant: str) -> bool:
    row = await connection.execute(_INTEREST, {"officer": officer, "applicant": applicant})
    return row.first() is not None


async def declare(connection: AsyncConnection, officer: str, applicant: str, why: str, at: datetime) -> None:
    """Keep a declaration: what the person holds of the company is let go, and its applications are looked at anew."""
    await connection.execute(_DECLARE, {"officer": officer, "applicant": applicant, "why": why, "at": at})
    await connection.execute(_WAKE_OF, {"applicant": applicant})
    await connection.execute(_RELEASE_OF, {"officer": officer, "applicant": applicant})


async def note(
    connection: AsyncConnection,
    at: datetime,
    who: str,
    what: str,
    about: Task | UUID | None,
    facts: str | None,
    data: Any,
) -> None:
    """Add a line to the audit, about a task, an application, or neither."""
    task = about if isinstance(about, Task) else None
    values = {
        "at": at,
        "who": who,
        "what": what,
        "application_id": task.application_id if task else about,
        "claim_id": task.claim_id if task else None,
        "task_id": task.task_id if task else None,
        "facts": facts,
        "data": to_json(data),
    }
    await connection.execute(_AUDIT, values)


async def audit(
    connection: AsyncConnection, *, application_id: UUID | None, after: int, limit: int
) -> list[dict[str, Any]]:
    values = {"application_id": application_id, "after": after, "limit": limit}
    return [dict(row) for row in (await connection.execute(_READ_AUDIT, values)).mappings()]


def _task(row: Row[Any] | None) -> Task | None:
    return None if row is None else Task(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented way to names


def _vote(row: Row[Any]) -> Vote:
    return Vote(
        officer=row.officer,
        approve=row.approve,
        amount=row.amount,
        reasons=msgspec.convert(row.reasons, Text),
        at=row.at,
        facts=row.facts,
    )
