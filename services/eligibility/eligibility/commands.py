"""What officers and policy editors may do over HTTP: hold a task, decide on it, declare an interest, publish a policy.

A group of commands shares a transaction. Each either refuses before it writes anything, or writes and gives its
answer; every one that writes leaves a line in the audit. Locks are taken as the assessor and the consumer take them:
the application or the claim first, its task then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.common import Reason, Text
from contracts.money import Money
from contracts.policy import Review
from contracts.refusal import Refusal
from eligibility import calls, handlers, refusals, review, rules
from eligibility.claim_rules import Verification
from eligibility.policies import Document
from eligibility.publication import publish_one
from eligibility.records import Assessment, Task
from eligibility.review import Standing, Vote
from eligibility.shelf import Shelf
from eligibility.store import assessments, claims, policies, tasks
from eligibility.store import calls as store
from kit.groups import Outcome
from kit.idempotency import Answer, Key
from kit.outbox import Announcements


class HoldTask(msgspec.Struct, frozen=True, kw_only=True):
    """Take a task, so that nobody else decides it meanwhile; or let it go."""

    key: Key | None
    traceparent: str | None
    by: str
    task_id: UUID
    hold: bool


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """Vote on a task that one holds. ``amount`` (fen) is what to approve at most, where that is less than computed."""

    key: Key | None
    traceparent: str | None
    by: str
    task_id: UUID
    approve: bool
    amount: int | None
    reasons: Text


class DeclareInterest(msgspec.Struct, frozen=True, kw_only=True):
    """Say that one has an interest in a company: its applications are out of reach from now on."""

    key: Key | None
    traceparent: str | None
    by: str
    applicant: str
    why: str


class PublishPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Publish a version of a scheme's policy document."""

    key: Key | None
    traceparent: str | None
    by: str
    document: Document


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Score an application of a ranking call; a person's later score replaces the earlier."""

    key: Key | None
    traceparent: str | None
    by: str
    application_id: UUID
    score: int
    comment: str


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """Rank a call that has closed, and allocate its budget: all at once, and once."""

    key: Key | None
    traceparent: str | None
    by: str
    scheme: str
    version: str


Command = HoldTask | Decide | DeclareInterest | PublishPolicy | Score | Rank


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
            return await _hold(connection, command, now)
        case Decide():
            return await _decide(shelf, connection, command, now, said)
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


# --- tasks -------------------------------------------------------------------------------------------------


async def _hold(connection: AsyncConnection, command: HoldTask, now: datetime) -> Answer:
    task = await _locked(connection, command.task_id)
    await _check_reach(connection, task, command.by)
    if task.holder not in (None, command.by):
        raise refusals.held_by_another(task)
    if not command.hold and task.holder is None:
        return answer(200, to_builtins(task))
    task.holder, task.claimed_at = (command.by, now) if command.hold else (None, None)
    await tasks.hold(connection, task.task_id, task.holder, task.claimed_at)
    await tasks.note(connection, now, command.by, "task.claimed" if command.hold else "task.released", task, None, {})
    return answer(200, to_builtins(task))


async def _decide(
    shelf: Shelf, connection: AsyncConnection, command: Decide, now: datetime, said: Announcements
) -> Answer:
    found = await tasks.find(connection, command.task_id)
    if found is None:
        raise refusals.not_found("task", str(command.task_id))
    if found.kind == "acceptance":
        return await _accept(shelf, connection, command, found, now, said)
    held = (await assessments.lock(connection, [found.application_id])).get(found.application_id)
    task = await _mine(connection, command)
    if task.kind == "facts" or held is None:
        raise refusals.not_to_decide()
    await policies.stock(connection, shelf, [held.version])
    standing = await _standing(shelf, connection, held, now)
    _check_vote(standing, command)
    vote = _vote(command, rules.seen_by_persons(held.facts or {}), now)
    await _cast(connection, task, vote, command)
    await tasks.wake(connection, task.application_id)
    counted = [*standing.counted, vote]
    return answer(200, _told(task, counted, standing))


async def _standing(shelf: Shelf, connection: AsyncConnection, held: Assessment, now: datetime) -> Standing:
    """Return where the review stands on the facts as last found, with the votes as they are now."""
    votes = await tasks.votes_on(connection, held.application_id, held.submitted.applicant)
    facts = {**(held.facts or {}), review.FACT: {"votes": to_builtins(votes)}}
    book = shelf.find(*held.version, held.submitted.submitted_at)
    standing = rules.decide(book, held.submitted, facts, now).standing
    if standing is None or standing.outcome != "open":
        raise refusals.not_to_decide()
    return standing


async def _accept(
    shelf: Shelf, connection: AsyncConnection, command: Decide, found: Task, now: datetime, said: Announcements
) -> Answer:
    """Vote on a claim that persons have to accept; the vote that settles it is told at once."""
    assert found.claim_id is not None, "an acceptance is a claim's"
    claim = await claims.lock(connection, found.claim_id)
    task = await _mine(connection, command)
    if claim is None or claim.status != "waiting" or claim.eligible is None:
        raise refusals.not_to_decide()
    held = await assessments.find(connection, task.application_id)
    assert held is not None, "a claim was verified against it"
    await policies.stock(connection, shelf, [held.version])
    policy = shelf.find(*held.version, held.submitted.submitted_at).policy
    asked = Review(route="persons", votes=policy.claims.accepting_persons)
    seen = review.hash_of({"claim": {"claim_id": str(claim.claim_id), "eligible": claim.eligible.amount}})
    votes = await tasks.votes_on(connection, claim.claim_id, task.applicant)
    _check_vote(review.standing(asked, claim.eligible.amount, votes, seen, now), command)
    vote = _vote(command, seen, now)
    await _cast(connection, task, vote, command)
    standing = review.standing(asked, claim.eligible.amount, [*votes, vote], seen, now)
    if standing.outcome == "open":
        return answer(200, _told(task, standing.counted, standing))
    accepted = standing.outcome == "approved"
    claim.status = "verified" if accepted else "rejected"
    words = Reason("acceptance", "claims.accepted_by", "met" if accepted else "not_met", vote.reasons)
    result = Verification(accepted, Money(standing.amount), (*claim.reasons, words), ())
    claim.eligible, claim.reasons, claim.decided_at = result.eligible if accepted else None, result.reasons, now
    await claims.settle(connection, claim)
    if not accepted:
        await claims.free(connection, [claim.claim_id])
    await tasks.close_all(connection, {claim.claim_id: standing.outcome})
    tell = handlers.verified if accepted else handlers.rejected
    said.say(tell(claim.submitted, result, now))
    return answer(200, _told(task, standing.counted, standing))


async def _locked(connection: AsyncConnection, task_id: UUID) -> Task:
    task = await tasks.lock(connection, task_id)
    if task is None:
        raise refusals.not_found("task", str(task_id))
    if task.closed_at is not None:
        raise refusals.closed(task)
    return task


async def _mine(connection: AsyncConnection, command: Decide) -> Task:
    """Lock a task; refuse unless the person holds it, and may."""
    task = await _locked(connection, command.task_id)
    await _check_reach(connection, task, command.by)
    if task.holder != command.by:
        raise refusals.held_by_another(task) if task.holder else refusals.not_held()
    return task


async def _check_reach(connection: AsyncConnection, task: Task, officer: str) -> None:
    if await tasks.has_interest(connection, officer, task.applicant):
        raise refusals.interested(task.applicant)


def _check_vote(standing: Standing, command: Decide) -> None:
    """Nobody stands behind an approval twice, in whatever role; and nobody approves more than was computed."""
    if any(vote.officer == command.by for vote in standing.counted):
        raise refusals.voted_before()
    if command.amount is not None and not 0 < command.amount <= standing.amount:
        raise refusals.amount_too_large(standing.amount)


def _vote(command: Decide, seen: str, now: datetime) -> Vote:
    return Vote(
        officer=command.by,
        approve=command.approve,
        amount=command.amount if command.approve else None,
        reasons=command.reasons,
        at=now,
        facts=seen,
    )


async def _cast(connection: AsyncConnection, task: Task, vote: Vote, command: Decide) -> None:
    await tasks.vote(connection, task.subject, vote)
    await tasks.hold(connection, task.task_id, None, None)  # the next person takes it
    data = {"approve": vote.approve, "amount": vote.amount, "reasons": to_builtins(vote.reasons)}
    await tasks.note(connection, vote.at, command.by, "task.decided", task, vote.facts, data)


def _told(task: Task, counted: Sequence[Vote], standing: Standing) -> dict[str, Any]:
    return {"task_id": task.task_id, "votes": len(counted), "needed": standing.needed}


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


def answer(status: int, content: Any) -> Answer:
    return Answer(status, msgspec.json.encode(content))
