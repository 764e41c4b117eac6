"""What a person is shown of a task: the facts as last found, what the rules make of them, and the votes that count."""

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility import appeals, review, rules
from eligibility.records import Assessment, Task
from eligibility.shelf import Shelf
from eligibility.store import assessments, claims, hearings, policies, tasks
from kit import accounts


def task(record: Task) -> dict[str, Any]:
    """Return a task as a list shows it."""
    return msgspec.structs.asdict(record)


async def detail(connection: AsyncConnection, shelf: Shelf, record: Task) -> dict[str, Any]:
    """Return a task with everything that a person decides on."""
    held = await assessments.find(connection, record.application_id)
    assert held is not None, "a task is about an application that was taken in"
    await policies.stock(connection, shelf, [held.version])
    common = task(record) | {"submitted": _submitted(held), "claim": None, "facts": held.facts or {}}
    common |= {"grounds": None}
    if record.claim_id is not None:
        return common | await _of_claim(connection, shelf, record, held)
    if record.kind == "appeal":
        return common | await _of_appeal(connection, shelf, record, held)
    return common | await _of_application(connection, shelf, record, held)


def _submitted(held: Assessment) -> dict[str, Any]:
    """Return what was submitted, its account as a mask: whoever decides has no use for the number."""
    shown: dict[str, Any] = to_builtins(held.submitted)
    shown["company"]["account"] = to_builtins(accounts.shown(held.submitted.company.account))
    return shown


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


async def _of_appeal(connection: AsyncConnection, shelf: Shelf, record: Task, held: Assessment) -> dict[str, Any]:
    """Return the grounds, the decision that is appealed against, and where the votes on the appeal stand."""
    lodged = await hearings.appeal(connection, record.application_id)
    assert lodged is not None, "its task was opened with it"
    votes = await tasks.votes_on(connection, record.subject, record.applicant)
    book = shelf.find(*held.version, held.submitted.submitted_at)
    facts = held.facts or {}
    computed = rules.computed(book, held.submitted, facts).amount
    seen = review.hash_of(appeals.seen(facts, lodged))
    now = await assessments.now(connection)
    standing = review.standing(appeals.review_of(book.policy.review), computed, votes, seen, now)
    return {
        "grounds": lodged.grounds,
        "reasons": to_builtins(held.reasons or ()),
        "computed": standing.amount,
        "needed": standing.needed,
        "votes": to_builtins(standing.counted),
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
