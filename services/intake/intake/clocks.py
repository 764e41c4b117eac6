"""Intake's deadlines: what is due, and the step that follows. Everything that waits here can be seen by its applicant.

A draft lapses, where its policy says so. Of all else intake only keeps the view: whoever holds the wait takes the
step (eligibility asks an officer, disbursement asks finance), and intake marks it overdue and tells the timeline.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import ApplicationLapsed
from contracts.policy import Deadline
from intake import waits
from intake.desk import Desk
from intake.records import Application, Claim
from kit.clocks import Missed, Waiting
from kit.driver import fetch
from kit.sealing import keyring_of

MISSED: Final = "deadline.missed"

_DUE: Final = """
SELECT application_id, CAST(NULL AS uuid) AS claim_id, due_at FROM applications
WHERE due_at <= $1 AND missed_at IS NULL
UNION ALL
SELECT application_id, claim_id, due_at FROM claims WHERE due_at <= $1 AND missed_at IS NULL
ORDER BY due_at, application_id LIMIT $2
"""
_WAITING: Final = text(
    """
    SELECT waits_for, count(*) AS open, min(due_at) AS earliest_due FROM (
      SELECT waits_for, due_at FROM applications WHERE due_at IS NOT NULL
      UNION ALL SELECT waits_for, due_at FROM claims WHERE due_at IS NOT NULL
    ) AS waiting GROUP BY waits_for
    """
)


class Subject(msgspec.Struct, frozen=True):
    """An application, or one of its claims."""

    application_id: UUID
    claim_id: UUID | None


class Deadlines:
    """What ``kit.clocks`` asks about, answered from the applications and claims."""

    kinds: Sequence[str] = waits.KINDS

    async def due(self, connection: AsyncConnection, now: datetime, limit: int) -> list[Subject]:
        rows = await fetch(connection, _DUE, now, limit)
        return [Subject(application_id, claim_id) for application_id, claim_id, _ in rows]

    async def miss(self, connection: AsyncConnection, subjects: Sequence[Subject], now: datetime) -> Missed:
        desk = Desk(now, keyring_of(connection))
        await desk.load_policies(connection)
        await desk.load_applications(connection, [subject.application_id for subject in subjects])
        await desk.load_claims(connection, [subject.claim_id for subject in subjects if subject.claim_id])
        kinds = [kind for subject in subjects if (kind := _miss(desk, subject))]
        await desk.store(connection)
        return Missed(desk.said, kinds)

    async def waiting(self, connection: AsyncConnection) -> Mapping[str, Waiting]:
        rows = await connection.execute(_WAITING)
        return {row.waits_for: Waiting(row.open, row.earliest_due) for row in rows}


def _miss(desk: Desk, subject: Subject) -> str | None:
    """Act on one missed deadline; return its kind, or None when the subject has moved on."""
    application = desk.applications[subject.application_id]
    record: Application | Claim = desk.claims[subject.claim_id] if subject.claim_id else application
    kind = record.waits_for
    if kind is None or not waits.is_missed(record, desk.now):
        return None
    policy = desk.policies[application.scheme][application.policy_version]
    deadline: Deadline = getattr(policy.clocks, kind)
    due = record.due_at
    if deadline.then == "lapse":
        _lapse(desk, application, due=due)
    else:
        record.missed_at = desk.now
        claims = [record] if isinstance(record, Claim) else []
        desk.change(application, *claims)
        desk.note(application, MISSED, desk.now, subject.claim_id, waited_for=kind, due=due, step=deadline.then)
    return kind


def _lapse(desk: Desk, application: Application, **data: Any) -> None:
    """End an application whose applicant did not answer, or a draft; of a draft nobody else has heard."""
    application.progress = {**application.progress, "lapsed_at": desk.now}
    desk.change(application)
    desk.note(application, ApplicationLapsed.TYPE, desk.now, **data)
    if application.submitted_at is not None:
        desk.say(
            ApplicationLapsed(
                occurred_at=desk.now,
                application_id=application.application_id,
                scheme=application.scheme,
                applicant=application.applicant,
            )
        )
