"""Eligibility's deadlines: registers that stay away are handed to an officer; anything else overdue becomes visible.

Nothing is decided here. The registers go on being asked after the escalation: the officer sees to it that they can
answer, and a decision follows by itself when they do. Never a guess (domain.md, rule 8).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import ReviewOpened
from contracts.policy import Clocks, Deadline
from eligibility import texts, waits
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.store import assessments, deadlines, policies
from kit.clocks import Missed, Waiting
from kit.outbox import Announcements


class Deadlines:
    """What ``kit.clocks`` asks about, answered from the assessments."""

    kinds: Sequence[str] = waits.KINDS

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def due(self, connection: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
        return await deadlines.due(connection, now, limit)

    async def miss(self, connection: AsyncConnection, subjects: Sequence[UUID], now: datetime) -> Missed:
        found = await assessments.lock(connection, subjects)
        overdue = [one for one in found.values() if waits.is_missed(one, now)]
        await policies.stock(connection, self._shelf, [one.version for one in overdue])
        missed = Missed(Announcements(), [])
        for assessment in overdue:
            policy = self._shelf.find(*assessment.version, assessment.submitted.submitted_at).policy
            missed.kinds.append(_miss(assessment, policy.clocks, now, missed.said))
        await deadlines.store(connection, overdue)
        return missed

    async def waiting(self, connection: AsyncConnection) -> Mapping[str, Waiting]:
        return await deadlines.waiting(connection)


def _miss(assessment: Assessment, clocks: Clocks, now: datetime, said: Announcements) -> str:
    """Take the step of one missed deadline; return its kind."""
    kind = waits.kind_of(assessment)
    assert kind is not None, "only what waits has a deadline"
    deadline: Deadline = getattr(clocks, kind)
    if deadline.then == "escalate":
        assessment.waits_for = "officer"
        waits.begin(assessment, clocks, now)
        said.traceparent = assessment.traceparent
        said.say(_escalated(assessment, now))
    else:
        assessment.missed_at = now
    return kind


def _escalated(assessment: Assessment, now: datetime) -> ReviewOpened:
    submitted = assessment.submitted
    return ReviewOpened(
        occurred_at=now,
        application_id=submitted.application_id,
        scheme=submitted.scheme,
        applicant=submitted.applicant,
        waiting_for=texts.ESCALATED_TO_OFFICER,
        holder="officer",
    )
