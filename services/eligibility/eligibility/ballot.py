"""What every vote of a person has in common: the task is theirs, they may decide, the vote is kept and audited.

Everything is checked before anything is written, so that a refusal undoes nothing.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility import refusals
from eligibility.commands import Decide
from eligibility.records import Task
from eligibility.review import Standing, Vote
from eligibility.store import tasks


class OnTask(Protocol):
    """A command on a task: who asks, and which task."""

    @property
    def by(self) -> str: ...
    @property
    def task_id(self) -> UUID: ...


async def locked(connection: AsyncConnection, task_id: UUID) -> Task:
    """Lock an open task; the application or claim that it is about is locked already."""
    task = await tasks.lock(connection, task_id)
    if task is None:
        raise refusals.not_found("task", str(task_id))
    if task.closed_at is not None:
        raise refusals.closed(task)
    return task


async def mine(connection: AsyncConnection, command: OnTask) -> Task:
    """Lock a task; refuse unless the person holds it, and may."""
    task = await locked(connection, command.task_id)
    await check_reach(connection, task, command.by)
    if task.holder != command.by:
        raise refusals.held_by_another(task) if task.holder else refusals.not_held()
    return task


async def check_reach(connection: AsyncConnection, task: Task, officer: str) -> None:
    """Refuse a person who declared an interest in the company."""
    if await tasks.has_interest(connection, officer, task.applicant):
        raise refusals.interested(task.applicant)


def check_vote(standing: Standing, command: Decide) -> None:
    """Nobody stands behind an approval twice, in whatever role; and nobody approves more than was computed."""
    if any(vote.officer == command.by for vote in standing.counted):
        raise refusals.voted_before()
    if command.amount is not None and not 0 < command.amount <= standing.amount:
        raise refusals.amount_too_large(standing.amount)


def vote(command: Decide, seen: str, now: datetime) -> Vote:
    """Return the vote that a command casts, on the facts with this hash."""
    return Vote(
        officer=command.by,
        approve=command.approve,
        amount=command.amount if command.approve else None,
        reasons=command.reasons,
        at=now,
        facts=seen,
    )


async def cast(connection: AsyncConnection, task: Task, given: Vote, command: Decide) -> None:
    """Keep a vote, and let the task go."""
    await tasks.vote(connection, task.subject, given)
    await tasks.hold(connection, task.task_id, None, None)  # the next person takes it
    data = {"approve": given.approve, "amount": given.amount, "reasons": to_builtins(given.reasons)}
    await tasks.note(connection, given.at, command.by, "task.decided", task, given.facts, data)


def told(task: Task, standing: Standing) -> dict[str, Any]:
    """Return what the person is answered."""
    return {"task_id": task.task_id, "votes": len(standing.counted), "needed": standing.needed}
