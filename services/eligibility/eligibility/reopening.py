"""What was decided is decided anew: the old decision is kept, the registers are asked again, the rules decide again.

Until they have, the old decision stands: claims are verified against it. Afterwards only the difference is awarded,
freed or asked back (domain.md, rule 11).
"""

from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from eligibility import refusals, waits
from eligibility.commands import Reassess
from eligibility.hearing import Statement
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.store import assessments, hearings, policies, tasks
from kit.idempotency import Answer, answer


async def reassess(shelf: Shelf, connection: AsyncConnection, command: Reassess, now: datetime) -> Answer:
    """Open a decided application again, for a reason that whoever reviews it is shown."""
    held = (await assessments.lock(connection, [command.application_id])).get(command.application_id)
    if held is None:
        raise refusals.not_found("assessment", str(command.application_id))
    if await tasks.has_interest(connection, command.by, held.submitted.applicant):
        raise refusals.interested(held.submitted.applicant)
    if held.status != "decided":
        raise refusals.not_to_reassess(held.status)
    await policies.stock(connection, shelf, [held.version])
    statement = Statement(kind="reassessment", by=command.by, words=command.reasons, at=now)
    await hearings.say(connection, [(held.application_id, statement)])
    await reopen(shelf, connection, held, "reassessment", now)
    noted = {"reasons": to_builtins(command.reasons)}
    await tasks.note(connection, now, command.by, "application.reopened", held.application_id, None, noted)
    return answer(200, {"application_id": held.application_id, "status": "waiting"})


async def reopen(shelf: Shelf, connection: AsyncConnection, held: Assessment, because: str, now: datetime) -> None:
    """Keep the decision, and have the assessor decide again, under the same policy version."""
    await hearings.keep_decision(connection, held, because)
    approved_at = held.approved_at or (held.decided_at if held.outcome == "approved" else None)
    again = msgspec.structs.replace(
        held,
        status="waiting",
        waits_for="registers",
        facts=None,
        next_try_at=now,
        attempts=0,
        approved_at=approved_at,
    )
    waits.begin(again, shelf.find(*held.version, held.submitted.submitted_at).policy.clocks, now)
    await assessments.store_tries(connection, [again])
