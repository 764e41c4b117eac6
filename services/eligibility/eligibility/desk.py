"""Carries out what officers, panels and policy editors ask for, in groups that share a transaction.

Each command either refuses before it writes anything, or writes and gives its answer; every one that writes leaves a
line in the audit. Locks are taken as the assessor and the consumer take them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from eligibility import calls, questions, refusals, reopening, voting
from eligibility.commands import (
    Ask,
    Command,
    Decide,
    DeclareInterest,
    HoldTask,
    Object,
    PublishPolicy,
    Rank,
    Reassess,
    Score,
)
from eligibility.publication import publish_one
from eligibility.shelf import Shelf
from eligibility.store import calls as store
from eligibility.store import tasks
from kit.groups import Outcome
from kit.idempotency import Answer, answer
from kit.outbox import Announcements


async def apply(
    shelf: Shelf, connection: AsyncConnection, commands: Sequence[Command], now: datetime
) -> tuple[list[Outcome], Announcements]:
    """Carry out a group of commands, one after another; return each one's answer or refusal, and what is to be told."""
    said = Announcements()
    outcomes: list[Outcome] = []
    for command in commands:
        said.traceparent = command.traceparent
        try:
            outcomes.append(await _carry_out(shelf, connection, command, now, said))
        except Refusal as refusal:
            outcomes.append(refusal)
    return outcomes, said


async def _carry_out(
    shelf: Shelf, connection: AsyncConnection, command: Command, now: datetime, said: Announcements
) -> Answer:
    match command:
        case HoldTask():
            return await voting.hold(connection, command, now)
        case Decide():
            return await voting.decide(shelf, connection, command, now, said)
        case Ask():
            return await questions.ask(connection, command, now, said)
        case Object():
            return await questions.object_to(connection, command, now)
        case Reassess():
            return await reopening.reassess(shelf, connection, command, now)
        case DeclareInterest():
            await tasks.declare(connection, command.by, command.applicant, command.why, now)
            data = {"applicant": command.applicant, "why": command.why}
            await tasks.note(connection, now, command.by, "interest.declared", None, None, data)
            return answer(201, {"officer": command.by, "applicant": command.applicant, "declared_at": now})
        case PublishPolicy():
            return await _publish(connection, command, now, said)
        case Score():
            await calls.check_score(shelf, connection, command.application_id, command.by, command.score)
            await store.score(connection, command.application_id, command.by, command.score, command.comment, now)
            scored = {"score": command.score, "comment": command.comment}
            about = command.application_id
            await tasks.note(connection, now, command.by, "application.scored", about, None, scored)
            return answer(200, {"application_id": about, "score": command.score})
        case Rank():
            return await _rank(shelf, connection, command, now)


async def _rank(shelf: Shelf, connection: AsyncConnection, command: Rank, now: datetime) -> Answer:
    await store.lock(connection, command.scheme, command.version)
    done = await store.find(connection, command.scheme, command.version)
    if done is None:
        placed = await calls.ranking(shelf, connection, command.scheme, command.version, now)
        await store.store(connection, command.scheme, command.version, placed, command.by, now)
        data = {"scheme": command.scheme, "version": command.version, "applications": len(placed)}
        await tasks.note(connection, now, command.by, "call.ranked", None, None, data)
        done = await store.find(connection, command.scheme, command.version)
    return answer(200, {"scheme": command.scheme, "version": command.version, "places": done})


# --- policies ----------------------------------------------------------------------------------------------


async def _publish(connection: AsyncConnection, command: PublishPolicy, now: datetime, said: Announcements) -> Answer:
    policy = command.document.policy
    if policy.status != "published":
        raise refusals.draft()
    event = await publish_one(connection, command.document, now)
    if event is not None:
        said.say(event)
        data = {"scheme": policy.scheme, "version": policy.version, "content_hash": command.document.content_hash}
        await tasks.note(connection, now, command.by, "policy.published", None, None, data)
    body = {"scheme": policy.scheme, "version": policy.version, "content_hash": command.document.content_hash}
    return answer(201 if event else 200, body)
