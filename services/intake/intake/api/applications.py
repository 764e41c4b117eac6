"""Applications over HTTP: made, changed, submitted, withdrawn. Bodies to commands, answers to responses."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from intake.api import shown
from intake.api.parts import IfMatch, Parts, asked, version_of
from intake.callers import client_of
from intake.commands import ChangeDraft, CreateApplication, SubmitApplication, WithdrawApplication
from intake.schemas import ChangedDraft, NewApplication, Withdrawal
from kit.access import Principal
from kit.openapi import call
from kit.writes import IdempotencyKey, OptionalKey, key_of, response_of

SUBMISSION: Final = (
    "window_closed",
    "unknown_district",
    "date_in_future",
    "contract_missing",
    "money_missing",
    "form_invalid",
    "evidence_missing",
    "unknown_document",
    "document_quarantined",
)


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls that make an application and move it on."""
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/applications",
        tags=["applications"],
        summary="Apply: as a draft, or at once",
        **call(shown.ApplicationOut, status=201, headers=["ETag", "Location"], refuses=["unknown_scheme", *SUBMISSION]),
    )
    async def create_application(
        request: Request,
        body: NewApplication,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        scheme, submit = sent.pop("scheme"), sent.pop("submit")
        command = CreateApplication(**asked(person, key), scheme=scheme, body=sent, submit=submit)
        return response_of(await parts.writer.submit(command))

    @routes.patch(
        "/applications/{application_id}",
        tags=["applications"],
        summary="Change a draft",
        **call(shown.ApplicationOut, headers=["ETag"], refuses=["application_not_found", "wrong_state", "stale"]),
    )
    async def change_draft(
        application_id: UUID, body: ChangedDraft, person: Sender, if_match: IfMatch = None
    ) -> Response:
        command = ChangeDraft(
            **asked(person, None),
            application_id=application_id,
            parts=body.model_dump(mode="json", exclude_none=True),
            version=version_of(if_match),
        )
        return response_of(await parts.writer.submit(command))

    @routes.post(
        "/applications/{application_id}/submission",
        tags=["applications"],
        summary="Submit a draft",
        **call(shown.ApplicationOut, headers=["ETag"], refuses=["application_not_found", "wrong_state", *SUBMISSION]),
    )
    async def submit_application(
        request: Request,
        application_id: UUID,
        person: Sender,
        idempotency_key: OptionalKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        command = SubmitApplication(**asked(person, key), application_id=application_id)
        return response_of(await parts.writer.submit(command))

    @routes.post(
        "/applications/{application_id}/withdrawal",
        tags=["applications"],
        summary="Withdraw, until it is awarded",
        **call(shown.ApplicationOut, headers=["ETag"], refuses=["application_not_found", "wrong_state"]),
    )
    async def withdraw_application(
        request: Request,
        application_id: UUID,
        person: Sender,
        body: Withdrawal | None = None,
        idempotency_key: OptionalKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        reason = body.reason if body else ""
        command = WithdrawApplication(
            **asked(person, key),
            application_id=application_id,
            reason=reason,
        )
        return response_of(await parts.writer.submit(command))
