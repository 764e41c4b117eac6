"""Tasks: a person holds one and decides on it. Locks: the application or the claim first, its task then."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.common import Reason
from contracts.money import Money
from contracts.policy import Review
from eligibility import appealing, ballot, claiming, refusals, review, rules
from eligibility.claim_rules import Verification
from eligibility.commands import Decide, HoldTask
from eligibility.records import Assessment, Task
from eligibility.review import Standing
from eligibility.shelf import Shelf
from eligibility.store import assessments, claims, policies, tasks
from kit.idempotency import Answer, answer
from kit.outbox import Announcements


async def hold(connection: AsyncConnection, command: HoldTask, now: datetime) -> Answer:
    task = await ballot.locked(connection, command.task_id)
    await ballot.check_reach(connection, task, command.by)
    if task.holder not in (None, command.by):
        raise refusals.held_by_another(task)
    if not command.hold and task.holder is None:
        return answer(200, to_builtins(task))
    task.holder, task.claimed_at = (command.by, now) if command.hold else (None, None)
    await tasks.hold(connection, task.task_id, task.holder, task.claimed_at)
    await tasks.note(connection, now, command.by, "task.claimed" if command.hold else "task.released", task, None, {})
    return answer(200, to_builtins(task))


async def decide(
    shelf: Shelf, connection: AsyncConnection, command: Decide, now: datetime, said: Announcements
) -> Answer:
    found = await tasks.find(connection, command.task_id)
    if found is None:
        raise refusals.not_found("task", str(command.task_id))
    match found.kind:
        case "acceptance":
            return await _accept(shelf, connection, command, found, now, said)
        case "appeal":
            return await appealing.decide(shelf, connection, command, found, now, said)
    held = (await assessments.lock(connection, [found.application_id])).get(found.application_id)
    task = await ballot.mine(connection, command)
    if task.kind == "facts" or held is None:
        raise refusals.not_to_decide()
    await policies.stock(connection, shelf, [held.version])
    standing = await _standing(shelf, connection, held, now)
    if standing is None or standing.outcome != "open":
        raise refusals.not_to_decide()
    ballot.check_vote(standing, command)
    vote = ballot.vote(command, rules.seen_by_persons(held.facts or {}), now)
    await ballot.cast(connection, task, vote, command)
    await tasks.wake(connection, task.application_id)
    return answer(200, ballot.told(task, await _standing(shelf, connection, held, now) or standing))


async def _standing(shelf: Shelf, connection: AsyncConnection, held: Assessment, now: datetime) -> Standing | None:
    """Return where the review stands on the facts as last found, with the votes as they are now."""
    votes = await tasks.votes_on(connection, held.application_id, held.submitted.applicant)
    facts = {**(held.facts or {}), review.FACT: {"votes": to_builtins(votes)}}
    book = shelf.find(*held.version, held.submitted.submitted_at)
    return rules.decide(book, held.submitted, facts, now).standing


async def _accept(
    shelf: Shelf, connection: AsyncConnection, command: Decide, found: Task, now: datetime, said: Announcements
) -> Answer:
    """Vote on a claim that persons have to accept; the vote that settles it is told at once."""
    assert found.claim_id is not None, "an acceptance is a claim's"
    claim = await claims.lock(connection, found.claim_id)
    task = await ballot.mine(connection, command)
    if claim is None or claim.status != "waiting" or claim.eligible is None:
        raise refusals.not_to_decide()
    held = await assessments.find(connection, task.application_id)
    assert held is not None, "a claim was verified against it"
    await policies.stock(connection, shelf, [held.version])
    policy = shelf.find(*held.version, held.submitted.submitted_at).policy
    asked = Review(route="persons", votes=policy.claims.accepting_persons)
    seen = review.hash_of({"claim": {"claim_id": str(claim.claim_id), "eligible": claim.eligible.amount}})
    votes = await tasks.votes_on(connection, claim.claim_id, task.applicant)
    ballot.check_vote(review.standing(asked, claim.eligible.amount, votes, seen, now), command)
    vote = ballot.vote(command, seen, now)
    await ballot.cast(connection, task, vote, command)
    standing = review.standing(asked, claim.eligible.amount, [*votes, vote], seen, now)
    if standing.outcome == "open":
        return answer(200, ballot.told(task, standing))
    accepted = standing.outcome == "approved"
    claim.status = "verified" if accepted else "rejected"
    words = Reason("acceptance", "claims.accepted_by", "met" if accepted else "not_met", vote.reasons)
    result = Verification(accepted, Money(standing.amount), (*claim.reasons, words), ())
    claim.eligible, claim.reasons, claim.decided_at = result.eligible if accepted else None, result.reasons, now
    await claims.settle(connection, claim)
    if not accepted:
        await claims.free(connection, [claim.claim_id])
    await tasks.close_all(connection, {claim.claim_id: standing.outcome})
    tell = claiming.verified if accepted else claiming.rejected
    said.say(tell(claim.submitted, result, now))
    return answer(200, ballot.told(task, standing))
