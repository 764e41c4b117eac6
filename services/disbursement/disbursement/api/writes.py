"""What finance orders and reports: bodies to commands, answers to responses. No decisions."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Body, Request, Response

from disbursement.api import shown
from disbursement.api.parts import Parts
from disbursement.api.schemas import Again, NewOrder, Reasoned, Reported, subject
from disbursement.commands import Decide, Propose, Report
from kit.access import Principal
from kit.http import TRACEPARENT
from kit.idempotency import Key
from kit.openapi import call
from kit.writes import IdempotencyKey, OptionalKey, key_of, response_of

ORDERING: Final = (
    "pool_not_found",
    "envelope_not_found",
    "award_not_found",
    "payment_not_found",
    "recovery_not_found",
    "award_not_active",
    "wrong_state",
    "books_differ",
    "amount_too_large",
    "below_committed",
    "account_needed",
)


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls that change something."""
    _add_orders(routes, parts)
    _add_payments(routes, parts)


def _add_orders(routes: APIRouter, parts: Parts) -> None:
    finance: Any = parts.access.principal("finance")

    @routes.post(
        "/orders",
        tags=["orders"],
        summary="Order something that takes two persons",
        **call(shown.OrderOut, status=201, refuses=ORDERING),
    )
    async def propose_order(
        request: Request,
        body: Annotated[NewOrder, Body()],
        officer: Annotated[Principal, finance],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key)
        return await _propose(parts, officer, key, subject(body), body.reason)

    @routes.post(
        "/orders/{order_id}/approval",
        tags=["orders"],
        summary="Approve another person's order: it is done",
        **call(shown.OrderOut, refuses=["order_not_found", "second_person_needed", *ORDERING]),
    )
    async def approve_order(
        request: Request,
        order_id: UUID,
        officer: Annotated[Principal, finance],
        idempotency_key: OptionalKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key, required=False)
        return await _decide(parts, officer, key, order_id, approve=True)

    @routes.post(
        "/orders/{order_id}/rejection",
        tags=["orders"],
        summary="End an order without doing it",
        **call(shown.OrderOut, refuses=["order_not_found", "wrong_state"]),
    )
    async def reject_order(
        request: Request,
        order_id: UUID,
        body: Reasoned,
        officer: Annotated[Principal, finance],
        idempotency_key: OptionalKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key, required=False)
        return await _decide(parts, officer, key, order_id, approve=False, reason=body.reason)


def _add_payments(routes: APIRouter, parts: Parts) -> None:
    finance: Any = parts.access.principal("finance")

    @routes.post(
        "/payments/{payment_id}/status",
        tags=["payments"],
        summary="Report what the bank did",
        **call(shown.EffectOut),
    )
    async def report_payment(
        request: Request,
        payment_id: UUID,
        body: Reported,
        officer: Annotated[Principal, finance],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key)
        event = body.event(payment_id, datetime.now(UTC))
        return response_of(await parts.writer.submit(Report(key=key, traceparent=TRACEPARENT.get(), event=event)))

    @routes.post(
        "/payments/{payment_id}/instruction",
        tags=["payments"],
        summary="Instruct a returned payment again",
        **call(shown.OrderOut, status=201, refuses=["payment_not_found", "wrong_state", "account_needed"]),
    )
    async def instruct_payment(
        request: Request,
        payment_id: UUID,
        body: Again,
        officer: Annotated[Principal, finance],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key)
        wanted = subject(body, kind="payment.instruct", payment_id=str(payment_id))
        return await _propose(parts, officer, key, wanted, body.reason)

    @routes.post(
        "/payments/{payment_id}/cancellation",
        tags=["payments"],
        summary="Give a payment up",
        **call(shown.OrderOut, status=201, refuses=["payment_not_found", "wrong_state"]),
    )
    async def cancel_payment(
        request: Request,
        payment_id: UUID,
        body: Reasoned,
        officer: Annotated[Principal, finance],
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await key_of(request, officer.subject, idempotency_key)
        wanted = subject(body, kind="payment.cancel", payment_id=str(payment_id))
        return await _propose(parts, officer, key, wanted, body.reason)


async def _propose(parts: Parts, officer: Principal, key: Key | None, wanted: Any, reason: str) -> Response:
    command = Propose(key=key, traceparent=TRACEPARENT.get(), by=officer.subject, subject=wanted, reason=reason)
    return response_of(await parts.writer.submit(command))


async def _decide(
    parts: Parts, officer: Principal, key: Key | None, order_id: UUID, *, approve: bool, reason: str = ""
) -> Response:
    command = Decide(
        key=key,
        traceparent=TRACEPARENT.get(),
        by=officer.subject,
        order_id=order_id,
        approve=approve,
        reason=reason,
    )
    return response_of(await parts.writer.submit(command))
