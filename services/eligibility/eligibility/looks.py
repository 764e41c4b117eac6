"""What a person is shown of a task: the facts as last found, what the rules make of them, and the votes that count."""

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility import review, rules
from eligibility.records import Assessment, Task
from eligibility.shelf import Shelf
from eligibility.store import assessments, claims, policies, tasks


def task(record: Task) -> dict[str, Any]:
    """Return a task as a list shows it."""
    return msgspec.structs.asdict(record)


async def detail(connection: AsyncConnection, shelf: Shelf, record: Task) -> dict[str, Any]:
    """Return a task with everything that a person decides on."""
    held = await assessments.find(connection, record.application_id)
    assert held is not None, "a task is about an application that was taken in"
    await policies.stock(connection, shelf, [held.version])
    common = task(record) | {"submitted": to_builtins(held.submitted), "claim": None, "facts": held.facts or {}}
    if record.claim_id is not None:
        return common | await _of_claim(connection, shelf, record, held)
    return common | await _of_application(connection, shelf, record, held)


async def _of_application(connection: AsyncConnection, shelf: Shelf, record: Task, held: Assessment) -> dict[str, Any]:
    votes = await tasks.votes_on(connection, record.subject, record.applicant)
    book = shelf.find(*held.version, held.submitted.submitted_at)
    facts = {**(held.facts or {}), review.FACT: {"votes": to_builtins(votes)}}
    now = await assessments.now(connection)
    decision = rules.decide(book, held.submitted, facts, held.decided_at or now)
    standing = decision.standing
    return {
        "reasons": to_builtins(decision.reasons),
        "computed": standing.amount if standing else None,
        "needed": standing.needed if standing else None,
        "votes": to_builtins(standing.counted if standing else ()),
    }


async def _of_claim(connection: AsyncConnection, shelf: Shelf, record: Task, held: Assessment) -> dict[str, Any]:
    assert record.claim_id is not None, "it is about a claim"
    found = await claims.find(connection, record.claim_id)
    assert found is not None, "a task is about a claim that was taken in"
    policy = shelf.find(*held.version, held.submitted.submitted_at).policy
    votes = await tasks.votes_on(connection, record.subject, record.applicant)
    return {
        "claim": to_builtins(found.submitted),
        "reasons": to_builtins(found.reasons),
        "computed": found.eligible.amount if found.eligible else None,
        "needed": policy.claims.accepting_persons,
        "votes": to_builtins(votes),
    }
