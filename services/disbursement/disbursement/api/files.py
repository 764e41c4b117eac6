"""Files over HTTP: payments to fetch for the bank, and what the bank sends back. No decisions."""

import asyncio
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.common import Text
from contracts.refusal import Refusal
from disbursement import bank_files, queries
from disbursement.api import shown
from disbursement.api.parts import Parts
from disbursement.api.reads import Limit, Page
from disbursement.api.schemas import WhichPools
from disbursement.iso20022.refusals import FileRefusedError
from disbursement.payment_files import MakePaymentFile
from kit.access import Principal
from kit.http import TRACEPARENT, page_of, problem
from kit.openapi import call
from kit.writes import IdempotencyKey, key_of, response_of

XML: Final = "application/xml"
_FILE: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": {XML: {"schema": {"type": "string"}}}}}
MessageId = Annotated[str, Path(max_length=35, examples=["DF01a204085fa57442b3c5d03ff5eb2e7b"])]
MessageCursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
BODY_LIMITS: Final = {"/v1/bank-files": 16 * 1024 * 1024}


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls about files."""
    _add_payment_files(routes, parts)
    _add_bank_files(routes, parts)


def _add_payment_files(routes: APIRouter, parts: Parts) -> None:
    finance: Any = parts.access.principal("finance")

    @routes.post(
        "/payment-files",
        tags=["files"],
        summary="Write what is in no file yet, as pain.001",
        **call(
            shown.MadePaymentFileOut,
            status=201,
            refuses=["pool_not_found", "payment_files_off", "nothing_to_pay", "debtor_missing"],
        ),
    )
    async def make_payment_file(
        request: Request,
        officer: Annotated[Principal, finance],
        body: WhichPools | None = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key)
        pools = frozenset(body.pools) if body and body.pools else None
        return response_of(await parts.files.submit(MakePaymentFile(key=key, by=officer.subject, pools=pools)))

    @routes.get(
        "/payment-files",
        tags=["files"],
        summary="Files of payments, in the order of their making",
        **call(shown.PaymentFilesOut),
    )
    async def list_payment_files(limit: Limit = 100, cursor: MessageCursor = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.payment_files(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "message_id"))

    @routes.get(
        "/payment-files/{message_id}",
        tags=["files"],
        summary="One file, always the same bytes",
        response_class=Response,
        **call(
            media={XML: {"schema": {"type": "string", "description": "pain.001.001.09"}}},
            headers=["Content-Disposition"],
            refuses=["payment_file_not_found"],
        ),
    )
    async def get_payment_file(message_id: MessageId, _officer: Annotated[Principal, finance]) -> Response:
        async with parts.database.reading() as connection:
            content = await queries.payment_file(connection, message_id)
        if content is None:
            raise Refusal(
                "payment_file_not_found",
                f"未找到付款文件 {message_id}。",
                f"There is no file of payments {message_id}.",
                status=404,
            )
        name = f'attachment; filename="{message_id}.xml"'
        return Response(content, headers={"Content-Disposition": name}, media_type=XML)


def _add_bank_files(routes: APIRouter, parts: Parts) -> None:
    finance: Any = parts.access.principal("finance")
    one_at_a_time = asyncio.Semaphore()  # a file of 16 MiB takes some hundred MiB of memory while it is read

    @routes.post(
        "/bank-files",
        tags=["files"],
        summary="Hand over what the bank sent: pain.002 or camt.054",
        **call(shown.TakenFileOut, refuses=["bank_file_refused", "message_id_reused"], **_FILE),
    )
    async def take_bank_file(request: Request, officer: Annotated[Principal, finance]) -> Response:
        content = await request.body()
        understand = partial(bank_files.understood, content, by=officer.subject, traceparent=TRACEPARENT.get())
        try:
            async with one_at_a_time:
                command = await asyncio.to_thread(understand)
        except FileRefusedError as error:
            return _refused(request, error)
        return response_of(await parts.files.submit(command))

    @routes.get(
        "/bank-files",
        tags=["files"],
        summary="The bank's files that were taken, and what each did",
        **call(shown.BankFilesOut),
    )
    async def list_bank_files(limit: Limit = 100, cursor: MessageCursor = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.bank_files(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "message_id"))


def _refused(request: Request, error: FileRefusedError) -> Response:
    text = Text(zh=f"第 {error.line} 行：{error.text.zh}", en=f"Line {error.line}: {error.text.en}")
    return problem(request, 422, "bank_file_refused", text, line=error.line, reason=error.code)
