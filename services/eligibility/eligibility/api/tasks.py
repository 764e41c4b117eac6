"""Officers' tasks: the queue, one task with all that is known, claim, release, decide; interests; the audit."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from contracts.money import LARGEST_EXACT_INTEGER
from eligibility import looks
from eligibility.api import schemas
from eligibility.api.parts import Parts, asked
from eligibility.commands import Ask, Decide, DeclareInterest, HoldTask, Object, Reassess
from eligibility.refusals import interested, not_found
from eligibility.store import tasks
from kit.access import Principal
from kit.http import page_of
from kit.openapi import call
from kit.writes import IdempotencyKey, OptionalKey

Limit = Annotated[int, Query(ge=1, le=500, description="at most so many items")]

Position = Annotated[int, Query(ge=0, le=LARGEST_EXACT_INTEGER, description="`next_cursor` of the page before")]
HOLDING: Final = ("task_not_found", "task_closed", "task_held", "interest_declared")


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls of persons who decide."""
    _add_reads(routes, parts)
    _add_decisions(routes, parts)
    _add_questions(routes, parts)
    _add_doubts(routes, parts)
    _add_interests(routes, parts)
    _add_audit(routes, parts)


def _add_reads(routes: APIRouter, parts: Parts) -> None:
    reader: Any = parts.access.principal("officer", "auditor")

    @routes.get(
        "/tasks",
        tags=["tasks"],
        summary="What waits for a person, in the order of its opening",
        **call(schemas.TasksOut),
    )
    async def list_tasks(
        person: Annotated[Principal, reader],
        status: Literal["open", "closed"] | None = None,
        scheme: str | None = None,
        holder: str | None = None,
        limit: Limit = 100,
        cursor: UUID | None = None,
    ) -> schemas.TasksOut:
        async with parts.database.reading() as connection:
            found = await tasks.page(
                connection,
                reader=person.subject,
                scheme=scheme,
                holder=holder,
                is_open=None if status is None else status == "open",
                after=cursor,
                limit=limit + 1,
            )
        return schemas.TasksOut.model_validate(page_of([looks.task(one) for one in found], limit, "task_id"))

    @routes.get(
        "/tasks/{task_id}",
        tags=["tasks"],
        summary="One task: facts, criteria, computed sum, votes",
        **call(schemas.TaskDetailOut, refuses=["task_not_found", "interest_declared"]),
    )
    async def get_task(task_id: UUID, person: Annotated[Principal, reader]) -> schemas.TaskDetailOut:
        async with parts.database.reading() as connection:
            task = await tasks.find(connection, task_id)
            if task is None:
                raise not_found("task", str(task_id))
            if await tasks.has_interest(connection, person.subject, task.applicant):
                raise interested(task.applicant)
            return schemas.TaskDetailOut.model_validate(await looks.detail(connection, parts.shelf, task))


def _add_decisions(routes: APIRouter, parts: Parts) -> None:
    officer: Any = parts.access.principal("officer")

    async def hold(request: Request, person: Principal, task_id: UUID, key: str | None, *, take: bool) -> Response:
        who = await asked(request, person, key, required=False)
        return await parts.carry_out(HoldTask(**who, task_id=task_id, hold=take))

    @routes.post(
        "/tasks/{task_id}/claim",
        tags=["tasks"],
        summary="Take a task: nobody else decides it meanwhile",
        **call(schemas.TaskOut, refuses=HOLDING),
    )
    async def claim_task(
        request: Request, task_id: UUID, person: Annotated[Principal, officer], idempotency_key: OptionalKey = None
    ) -> Response:
        return await hold(request, person, task_id, idempotency_key, take=True)

    @routes.post(
        "/tasks/{task_id}/release",
        tags=["tasks"],
        summary="Let a task go",
        **call(schemas.TaskOut, refuses=HOLDING),
    )
    async def release_task(
        request: Request, task_id: UUID, person: Annotated[Principal, officer], idempotency_key: OptionalKey = None
    ) -> Response:
        return await hold(request, person, task_id, idempotency_key, take=False)

    @routes.post(
        "/tasks/{task_id}/decision",
        tags=["tasks"],
        summary="Approve or reject, with reasons",
        **call(
            schemas.VotedOut,
            refuses=[
                *HOLDING,
                "task_not_held",
                "voted_before",
                "decided_before",
                "nothing_to_decide",
                "appeal_cannot_be_upheld",
                "amount_too_large",
            ],
        ),
    )
    async def decide_task(
        request: Request,
        task_id: UUID,
        body: schemas.DecisionIn,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = Decide(
            **await asked(request, person, idempotency_key),
            task_id=task_id,
            approve=body.outcome == "approve",
            amount=body.amount,
            reasons=body.reasons.text(),
        )
        return await parts.carry_out(command)


def _add_questions(routes: APIRouter, parts: Parts) -> None:
    officer: Any = parts.access.principal("officer")

    @routes.post(
        "/tasks/{task_id}/question",
        tags=["tasks"],
        summary="Ask the applicant: the officers' clock stands still until they have answered",
        **call(schemas.AskedOut, refuses=[*HOLDING, "task_not_held", "nothing_to_ask"]),
    )
    async def ask_applicant(
        request: Request,
        task_id: UUID,
        body: schemas.QuestionIn,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = Ask(
            **await asked(request, person, idempotency_key),
            task_id=task_id,
            question=body.question.text(),
        )
        return await parts.carry_out(command)


def _add_doubts(routes: APIRouter, parts: Parts) -> None:
    officer: Any = parts.access.principal("officer")

    @routes.post(
        "/assessments/{application_id}/objections",
        tags=["assessments"],
        summary="Keep an objection to an approval that is shown in public: persons look at it again",
        **call(schemas.ObjectionOut, status=201, refuses=["assessment_not_found", "not_on_public_notice"]),
    )
    async def lodge_objection(
        request: Request,
        application_id: UUID,
        body: schemas.ObjectionIn,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = Object(
            **await asked(request, person, idempotency_key),
            application_id=application_id,
            grounds=body.grounds,
        )
        return await parts.carry_out(command)

    @routes.post(
        "/assessments/{application_id}/reassessment",
        tags=["assessments"],
        summary="Have a decided application decided anew; only the difference is awarded, freed or asked back",
        **call(schemas.ReopenedOut, refuses=["assessment_not_found", "nothing_to_reassess", "interest_declared"]),
    )
    async def reassess_application(
        request: Request,
        application_id: UUID,
        body: schemas.ReassessmentIn,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = Reassess(
            **await asked(request, person, idempotency_key),
            application_id=application_id,
            reasons=body.reasons.text(),
        )
        return await parts.carry_out(command)


def _add_interests(routes: APIRouter, parts: Parts) -> None:
    officer: Any = parts.access.principal("officer")

    @routes.post(
        "/interests",
        tags=["tasks"],
        summary="Declare an interest in a company",
        **call(schemas.InterestOut, status=201),
    )
    async def declare_interest(
        request: Request,
        body: schemas.InterestIn,
        person: Annotated[Principal, officer],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        command = DeclareInterest(
            **await asked(request, person, idempotency_key),
            applicant=body.applicant,
            why=body.why,
        )
        return await parts.carry_out(command)


def _add_audit(routes: APIRouter, parts: Parts) -> None:
    auditor: Any = parts.access.principal("auditor")

    @routes.get(
        "/audit", tags=["audit"], summary="Who did what, when, on which facts; in order", **call(schemas.AuditOut)
    )
    async def read_audit(
        _person: Annotated[Principal, auditor],
        application_id: UUID | None = None,
        limit: Limit = 100,
        cursor: Annotated[
            int, Query(ge=0, le=LARGEST_EXACT_INTEGER, description="`next_cursor` of the page before")
        ] = 0,
    ) -> schemas.AuditOut:
        async with parts.database.reading() as connection:
            lines = await tasks.audit(connection, application_id=application_id, after=cursor, limit=limit + 1)
        return schemas.AuditOut.model_validate(page_of(lines, limit, "id"))
