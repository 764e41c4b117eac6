"""What the applicant is asked and answers, and an appeal. Bodies to commands, answers to responses."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from intake.api import shown
from intake.api.parts import Parts, asked
from intake.callers import client_of
from intake.hearing import AnswerClarification, LodgeAppeal
from intake.schemas import Appeal, Clarification
from kit.access import Principal
from kit.openapi import call
from kit.writes import IdempotencyKey, key_of, response_of


def add(routes: APIRouter, parts: Parts) -> None:
    """Add what an applicant says once an application is under way."""
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/applications/{application_id}/clarification",
        tags=["applications"],
        summary="Answer what an officer asked",
        **call(
            shown.ApplicationOut,
            headers=["ETag"],
            refuses=["application_not_found", "wrong_state", "unknown_document", "document_quarantined"],
        ),
    )
    async def answer_clarification(
        request: Request,
        application_id: UUID,
        body: Clarification,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        command = AnswerClarification(**asked(person, key), application_id=application_id, **sent)
        return response_of(await parts.writer.submit(command))

    @routes.post(
        "/applications/{application_id}/appeal",
        tags=["applications"],
        summary="Appeal against a rejection, once",
        **call(
            shown.ApplicationOut,
            headers=["ETag"],
            refuses=[
                "application_not_found",
                "wrong_state",
                "appealed_before",
                "nothing_to_appeal",
                "appeal_too_late",
                "unknown_document",
                "document_quarantined",
            ],
        ),
    )
    async def lodge_appeal(
        request: Request,
        application_id: UUID,
        body: Appeal,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        command = LodgeAppeal(**asked(person, key), application_id=application_id, **sent)
        return response_of(await parts.writer.submit(command))
