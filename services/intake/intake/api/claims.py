"""Claims, awards and vouchers over HTTP. Bodies to commands, rows to responses; no decisions."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from intake import queries
from intake.api import shown
from intake.api.parts import Parts, asked, json_or_404
from intake.callers import READERS, client_of, viewer
from intake.claiming import CreateClaim
from intake.schemas import NewClaim
from kit.access import Principal
from kit.openapi import call
from kit.writes import IdempotencyKey, key_of, response_of

VoucherCode = Annotated[str, Path(max_length=200, examples=["CV-7Q2M-K9XT"])]
CLAIMING: Final = (
    "award_not_active",
    "award_expired",
    "award_exhausted",
    "invoice_already_claimed",
    "date_in_future",
    "usage_missing",
    "statement_missing",
    "statement_not_confirmed",
    "invoices_missing",
    "unknown_milestone",
    "money_missing",
    "unknown_document",
    "document_quarantined",
)


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls about claims, awards and vouchers."""
    Sender = Annotated[Principal, parts.access.principal("portal")]  # noqa: N806  # a type
    Reader = Annotated[Principal, parts.access.principal(*READERS)]  # noqa: N806  # a type
    Provider = Annotated[Principal, parts.access.principal("provider")]  # noqa: N806  # a type

    @routes.post(
        "/awards/{award_id}/claims",
        tags=["claims"],
        summary="Claim against an award",
        **call(shown.ClaimOut, status=201, headers=["Location"], refuses=["award_not_found", *CLAIMING]),
    )
    async def create_claim(
        request: Request,
        award_id: UUID,
        body: NewClaim,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        command = CreateClaim(**asked(person, key), award_id=award_id, body=sent)
        return response_of(await parts.writer.submit(command))

    @routes.get(
        "/claims/{claim_id}",
        tags=["claims"],
        summary="One claim",
        **call(shown.ClaimOut, refuses=["claim_not_found"]),
    )
    async def get_claim(claim_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            return json_or_404(await queries.claim(connection, claim_id, viewer(person)), "claim", claim_id)

    @routes.get(
        "/awards/{award_id}",
        tags=["awards"],
        summary="One award",
        **call(shown.AwardOut, refuses=["award_not_found"]),
    )
    async def get_award(award_id: UUID, person: Reader) -> Response:
        async with parts.database.reading() as connection:
            return json_or_404(await queries.award(connection, award_id, viewer(person)), "award", award_id)

    @routes.get(
        "/vouchers/{code}",
        tags=["awards"],
        summary="Is this voucher good, whose is it, what is left of it?",
        **call(shown.VoucherOut, refuses=["voucher_not_found"]),
    )
    async def get_voucher(code: VoucherCode, person: Provider) -> Response:
        async with parts.database.reading() as connection:
            return json_or_404(await queries.voucher(connection, code, person.subject), "voucher", code)
