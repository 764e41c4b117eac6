"""What persons say of an application without deciding it: a question to the applicant, an objection to an approval."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import ClarificationRequested
from eligibility import ballot, refusals, waits
from eligibility.commands import Ask, Object
from eligibility.hearing import Statement
from eligibility.store import assessments, hearings, tasks
from kit.idempotency import Answer, answer
from kit.outbox import Announcements


async def ask(connection: AsyncConnection, command: Ask, now: datetime, said: Announcements) -> Answer:
    """Ask the applicant; the officer's clock stands still until they have answered, and another task begins then."""
    found = await tasks.find(connection, command.task_id)
    if found is None:
        raise refusals.not_found("task", str(command.task_id))
    held = (await assessments.lock(connection, [found.application_id])).get(found.application_id)
    task = await ballot.mine(connection, command)
    if held is None or task.kind not in ("review", "facts") or held.status != "waiting":
        raise refusals.not_to_ask()
    statement = Statement(kind="question", by=command.by, words=command.question, at=now)
    await hearings.say(connection, [(task.application_id, statement)])
    waits.pause(held, now)
    await assessments.store_tries(connection, [held])
    await tasks.close_all(connection, {task.application_id: "asked"})
    asked = {"question": to_builtins(command.question)}
    await tasks.note(connection, now, command.by, "applicant.asked", task, None, asked)
    said.say(
        ClarificationRequested(
            occurred_at=now,
            application_id=task.application_id,
            scheme=task.scheme,
            applicant=task.applicant,
            question=command.question,
        )
    )
    return answer(200, {"application_id": task.application_id, "waits_for": waits.APPLICANT})


async def object_to(connection: AsyncConnection, command: Object, now: datetime) -> Answer:
    """Keep an objection to an approval that is shown in public: it voids the votes, so that persons look again."""
    held = (await assessments.lock(connection, [command.application_id])).get(command.application_id)
    if held is None:
        raise refusals.not_found("assessment", str(command.application_id))
    if await tasks.has_interest(connection, command.by, held.submitted.applicant):
        raise refusals.interested(held.submitted.applicant)
    if held.status != "waiting" or held.waits_for != waits.PUBLIC_NOTICE:
        raise refusals.not_on_notice()
    statement = Statement(kind="objection", by=command.by, words=command.grounds, at=now)
    await hearings.say(connection, [(held.application_id, statement)])
    noted = {"grounds": command.grounds}
    await tasks.note(connection, now, command.by, "objection.lodged", held.application_id, None, noted)
    await tasks.wake(connection, held.application_id)
    return answer(201, {"application_id": held.application_id, "lodged_at": now})
