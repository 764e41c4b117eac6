"""A disbursement of a hundred lines: payments that wait for finance, orders of two persons, idempotency, no money."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.events import PaymentInstructed
from tests.simulators.conftest import Serve
from tests.simulators.payments import NOW


@dataclass(frozen=True)
class Effect:
    """Something that a person brought about, once."""

    act: str
    payment_id: str
    person: str
    body: Any


@dataclass
class FakeDisbursement:
    """Does each key once. ``failing`` answers so many writes with 500 after they were done: the caller can't know.

    ``too_late`` refuses all, as when somebody else was quicker.
    """

    failing: int = 0
    too_late: bool = False
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders: dict[str, tuple[str, str]] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, int, Any]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    broken_keys: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/payments", self.list_payments),
                Route("/v1/payments/{id}/{act}", self.write, methods=["POST"]),
                Route("/v1/orders", self.write, methods=["POST"]),
                Route("/v1/orders/{order}/approval", self.write, methods=["POST"]),
            ]
        )

    def returned(self, payments: Iterable[PaymentInstructed]) -> None:
        for payment in payments:
            self._add(payment, "returned")

    def held(self, payment: PaymentInstructed, hold: str, verification_id: UUID | None = None) -> None:
        self._add(payment, "held", hold=hold, verification_id=verification_id and str(verification_id))

    def waiting(self) -> list[dict[str, Any]]:
        return [payment for payment in self.payments.values() if payment["status"] in {"held", "returned"}]

    async def list_payments(self, request: Request) -> Response:
        limit, after = int(request.query_params["limit"]), request.query_params.get("cursor", "")
        status = request.query_params["status"]
        items = sorted(
            (each for each in self.payments.values() if each["status"] == status and each["payment_id"] > after),
            key=lambda each: str(each["payment_id"]),
        )
        page = items[:limit]
        return JSONResponse({"items": page, "next_cursor": page[-1]["payment_id"] if len(items) > limit else None})

    async def write(self, request: Request) -> Response:
        body, key = await request.body(), request.headers["Idempotency-Key"]
        person = request.headers["Authorization"].removeprefix("Bearer ")
        if key not in self.answers:
            status, answer = self.effect(request.path_params, person, await request.json())
            if status >= 400:
                return JSONResponse(answer, status)
            self.answers[key] = (body, status, answer)
        known, status, answer = self.answers[key]
        if known != body:
            self.broken_keys.append(key)
        if self.failing:
            self.failing -= 1
            return JSONResponse({}, 500)
        return JSONResponse(answer, status)

    def effect(self, path: dict[str, str], person: str, body: Any) -> tuple[int, dict[str, Any]]:
        match path:
            case {"id": payment_id, "act": act}:
                return self._act(payment_id, act, person, body)
            case {"order": order_id}:
                return self._approve(order_id, person)
            case _:
                order_id = str(uuid4())
                self.orders[order_id] = (body["payment_id"], person)
                return 201, {"order_id": order_id, "status": "proposed"}

    def _act(self, payment_id: str, act: str, person: str, body: Any) -> tuple[int, dict[str, Any]]:
        payment = self.payments[payment_id]
        if self.too_late or (payment["status"] != "returned" and payment["hold"] != "account_rejected"):
            return 409, {"code": "wrong_state"}
        return self._done(payment, {"instruction": "instructed", "cancellation": "cancelled"}[act], act, person, body)

    def _approve(self, order_id: str, person: str) -> tuple[int, dict[str, Any]]:
        payment_id, proposer = self.orders[order_id]
        if person == proposer:
            return 409, {"code": "second_person_needed"}
        payment = self.payments[payment_id]
        if payment["hold"] != "release":
            return 409, {"code": "wrong_state"}
        self._done(payment, "instructed", "release", person, {})
        return 200, {"order_id": order_id, "status": "executed"}

    def _done(
        self, payment: dict[str, Any], status: str, act: str, person: str, body: Any
    ) -> tuple[int, dict[str, Any]]:
        self.effects.append(Effect(act, payment["payment_id"], person, body))
        payment |= {"status": status, "hold": None}
        return 200, payment

    def _add(self, payment: PaymentInstructed, status: str, **more: Any) -> None:
        self.payments[str(payment.payment_id)] = {
            "payment_id": str(payment.payment_id),
            "claim_id": str(payment.claim_id),
            "application_id": str(payment.application_id),
            "money": {"amount": payment.money.amount, "currency": "CNY"},
            "end_to_end_id": payment.end_to_end_id,
            "status": status,
            "attempt": payment.attempt,
            "instructed_at": NOW.isoformat(),
            "hold": None,
            **more,
        }


@asynccontextmanager
async def served(fake: FakeDisbursement, serve: Serve) -> AsyncIterator[str]:
    """Serve it; gives its address."""
    async with serve(fake.app()) as client:
        yield str(client.base_url).rstrip("/")
