"""Intake over HTTP, for the portal: bodies to commands, answers to responses. No decisions."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response

from contracts.refusal import Refusal
from intake import queries, rules
from intake.callers import READERS, client_of, viewer
from intake.claiming import CreateClaim
from intake.commands import (
    ChangeDraft,
    Command,
    CreateApplication,
    SubmitApplication,
    WithdrawApplication,
)
from intake.documents import api as documents
from intake.documents.scanning import Scanner
from intake.documents.store import DocumentStore
from intake.hearing import AnswerClarification, LodgeAppeal
from intake.schemas import Appeal, ChangedDraft, Clarification, NewApplication, NewClaim, Search, Withdrawal
from kit.access import Access, Principal
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import TRACEPARENT, page_of
from kit.idempotency import Answer, Key
from kit.writes import IdempotencyKey, key_of, response_of

IfMatch = Annotated[str | None, Header(description="the ETag that was read; 412 when it is stale")]


class Parts:
    """What the routes need; empty where they are only described."""

    def __init__(
        self,
        database: Database | None,
        writer: GroupedWriter[Command] | None,
        store: DocumentStore | None = None,
        scanner: Scanner | None = None,
        access: Access | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._store = store
        self._scanner = scanner or Scanner([], 0)
        self._access = access or Access()

    @property
    def database(self) -> Database:
        assert self._database is not None, "described, not called"
        return self._database

    @property
    def access(self) -> Access:
        return self._access

    @property
    def library(self) -> documents.Library:
        return documents.Library(self._store, self._scanner, self._access, lambda: self.database, self._submit)

    async def _submit(self, command: Command) -> Answer:
        return await self.writer.submit(command)

    @property
    def writer(self) -> GroupedWriter[Command]:
        assert self._writer is not None, "described, not called"
        return self._writer


def router(parts: Parts) -> APIRouter:
    """Return intake's routes."""
    routes = APIRouter(prefix="/v1")
    _add_schemes(routes, parts)
    _add_writes(routes, parts)
    _add_hearing(routes, parts)
    _add_claims(routes, parts)
    _add_reads(routes, parts)
    documents.add(routes, parts.library)
    return routes


def _add_schemes(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/schemes", tags=["schemes"], summary="Schemes in force: rule, window, evidence, form")
    async def list_schemes() -> Response:
        async with parts.database.reading() as connection:
            return _json({"items": await queries.schemes(connection, datetime.now(UTC)), "next_cursor": None})

    @routes.get("/schemes/{scheme}", tags=["schemes"], summary="One scheme")
    async def get_scheme(scheme: str) -> Response:
        async with parts.database.reading() as connection:
            schemes = await queries.schemes(connection, datetime.now(UTC))
        return _json_or_404(next((found for found in schemes if found["scheme"] == scheme), None), "scheme", scheme)


def _add_writes(routes: APIRouter, parts: Parts) -> None:
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type

    @routes.post("/applications", tags=["applications"], status_code=201, summary="Apply: as a draft, or at once")
    async def create_application(
        request: Request,
        body: NewApplication,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        scheme, submit = sent.pop("scheme"), sent.pop("submit")
        command = CreateApplication(**_asked(person, key), scheme=scheme, body=sent, submit=submit)
        return response_of(await parts.writer.submit(command))

    @routes.patch("/applications/{application_id}", tags=["applications"], summary="Change a draft")
    async def change_draft(
        application_id: UUID, body: ChangedDraft, person: Sender, if_match: IfMatch = None
    ) -> Response:
        command = ChangeDraft(
            **_asked(person, None),
            application_id=application_id,
            parts=body.model_dump(mode="json", exclude_none=True),
            version=_version(if_match),
        )
        return response_of(await parts.writer.submit(command))

    @routes.post("/applications/{application_id}/submission", tags=["applications"], summary="Submit a draft")
    async def submit_application(
        request: Request,
        application_id: UUID,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        command = SubmitApplication(**_asked(person, key), application_id=application_id)
        return response_of(await parts.writer.submit(command))

    @routes.post("/applications/{application_id}/withdrawal", tags=["applications"], summary="Withdraw")
    async def withdraw_application(
        request: Request,
        application_id: UUID,
        person: Sender,
        body: Withdrawal | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        reason = body.reason if body else ""
        command = WithdrawApplication(
            **_asked(person, key),
            application_id=application_id,
            reason=reason,
        )
        return response_of(await parts.writer.submit(command))


def _add_hearing(routes: APIRouter, parts: Parts) -> None:
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/applications/{application_id}/clarification", tags=["applications"], summary="Answer what an officer asked"
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
        command = AnswerClarification(**_asked(person, key), application_id=application_id, **sent)
        return response_of(await parts.writer.submit(command))

    @routes.post(
        "/applications/{application_id}/appeal", tags=["applications"], summary="Appeal against a rejection, once"
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
        command = LodgeAppeal(**_asked(person, key), application_id=application_id, **sent)
        return response_of(await parts.writer.submit(command))


def _add_claims(routes: APIRouter, parts: Parts) -> None:
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type
    Reader = Annotated[Principal, parts.access.principal(*READERS)]  # noqa: N806  # a type
    Provider = Annotated[Principal, parts.access.principal("provider")]  # noqa: N806  # a type

    @routes.post("/awards/{award_id}/claims", tags=["claims"], status_code=201, summary="Claim against an award")
    async def create_claim(
        request: Request,
        award_id: UUID,
        body: NewClaim,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        command = CreateClaim(**_asked(person, key), award_id=award_id, body=sent)
        return response_of(await parts.writer.submit(command))

    @routes.get("/claims/{claim_id}", tags=["claims"], summary="One claim")
    async def get_claim(claim_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            return _json_or_404(await queries.claim(connection, claim_id, viewer(person)), "claim", claim_id)

    @routes.get("/awards/{award_id}", tags=["awards"], summary="One award")
    async def get_award(award_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            return _json_or_404(await queries.award(connection, award_id, viewer(person)), "award", award_id)

    @routes.get("/vouchers/{code}", tags=["awards"], summary="Is this voucher good, whose is it, what is left of it?")
    async def get_voucher(code: str, person: Provider) -> Response:
        async with parts.database.reading() as connection:
            return _json_or_404(await queries.voucher(connection, code, person.subject), "voucher", code)


def _add_reads(routes: APIRouter, parts: Parts) -> None:
    Reader = Annotated[Principal, parts.access.principal(*READERS)]  # noqa: N806  # a type

    @routes.get("/applications", tags=["applications"], summary="Search, in the order of making")
    async def list_applications(person: Reader, asked: Annotated[Search, Query()]) -> Response:
        async with parts.database.reading() as connection:
            rows = await queries.applications(
                connection,
                client=viewer(person),
                filters=asked.model_dump(include={"applicant", "scheme", "status", "district"}),
                submitted_from=asked.submitted_from,
                submitted_until=asked.submitted_until,
                after=asked.cursor,
                limit=asked.limit + 1,
            )
        return _json(page_of(rows, asked.limit, "application_id"))

    @routes.get("/applications/{application_id}", tags=["applications"], summary="The whole state of an application")
    async def get_application(application_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            found = await queries.application(connection, application_id, viewer(person))
        response = _json_or_404(found, "application", application_id)
        response.headers["etag"] = f'"{found["version"]}"' if found else ""
        return response

    @routes.get("/applications/{application_id}/timeline", tags=["applications"], summary="What happened, in order")
    async def get_timeline(application_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            lines = await queries.timeline(connection, application_id, viewer(person))
        return _json_or_404({"items": lines, "next_cursor": None} if lines else None, "application", application_id)


def _asked(person: Principal, key: Key | None) -> dict[str, Any]:
    """Return what every command has: who asks, under which key, within which trace."""
    return {"key": key, "traceparent": TRACEPARENT.get(), "client": client_of(person)}


# --- headers and bytes ------------------------------------------------------------------------------------


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    digits = if_match.removeprefix("W/").strip('"')
    if not digits.isdigit():
        raise Refusal("stale", "If-Match 不是本资源的 ETag。", "If-Match is not an ETag of this resource.", status=412)
    return int(digits)


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


def _json_or_404(content: Any, kind: str, identifier: object) -> Response:
    if content is None:
        raise rules.not_found(kind, identifier)
    return _json(content)
