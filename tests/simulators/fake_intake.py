"""An intake of a hundred lines that keeps the contract's promises on idempotency and breaks down on purpose."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ZERO = {"amount": 0, "currency": "CNY"}


@dataclass
class FakeIntake:
    """Awards everything on the second look at it, pays every claim on the look after. Fails a share of the calls,
    half of them after the write was done: the caller can't know which."""

    failing: float = 0.0
    refuses_repeats: bool = True
    draw: random.Random = field(default_factory=lambda: random.Random(1))
    answers: dict[str, tuple[bytes, int, Any]] = field(default_factory=dict)
    applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    invoices: set[tuple[str, str]] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    broken_keys: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/applications", self.write, methods=["POST"]),
                Route("/v1/applications", self.list_all),
                Route("/v1/applications/{id}", self.write, methods=["PATCH"]),
                Route("/v1/applications/{id}/{step}", self.write, methods=["POST"]),
                Route("/v1/awards/{award}/claims", self.write, methods=["POST"]),
            ]
        )

    async def write(self, request: Request) -> Response:
        """Do each key once; the same key with another body is a broken promise of the caller's."""
        self.calls[request.method] += 1
        body, key = await request.body(), request.headers["Idempotency-Key"]
        if self.draw.random() < self.failing / 2:
            return JSONResponse({}, 503)
        if key not in self.answers:
            self.answers[key] = (body, *self.effect(request, await request.json()))
        known, status, answer = self.answers[key]
        if known != body:
            self.broken_keys.append(key)
        if self.draw.random() < self.failing / 2:
            return JSONResponse({}, 500)
        return JSONResponse(answer, status)

    def effect(self, request: Request, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        match request.method, request.path_params:
            case "PATCH", {"id": application_id}:
                return 200, self.applications[application_id] | body
            case "POST", {"id": application_id, "step": step}:
                return self.step(self.applications[application_id], step)
            case "POST", {"award": award_id}:
                return self.claim(award_id, body)
            case _:
                application_id = str(uuid4())
                status = "submitted" if body["submit"] else "draft"
                self.applications[application_id] = {"application_id": application_id, "status": status, "claims": []}
                return 201, {"application_id": application_id, "status": status}

    def step(self, application: dict[str, Any], step: str) -> tuple[int, dict[str, Any]]:
        self.steps[step] += 1
        if step == "withdrawal" and application["status"] == "awarded":
            return 409, {"code": "wrong_state"}
        application["status"] = {"submission": "submitted", "withdrawal": "withdrawn"}[step]
        return 200, application

    def claim(self, award_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        invoices = {(invoice["seller"], invoice["number"]) for invoice in body["invoices"]}
        if self.refuses_repeats and invoices & self.invoices:
            return 409, {"code": "invoice_already_claimed"}
        self.invoices |= invoices
        claim = {"claim_id": str(uuid4()), "status": "submitted", "payment": None}
        application = next(a for a in self.applications.values() if (a.get("award") or {}).get("award_id") == award_id)
        application["claims"].append(claim)
        return 201, claim

    async def list_all(self, request: Request) -> Response:
        self.calls["GET"] += 1
        limit, after = int(request.query_params["limit"]), request.query_params.get("cursor", "")
        items = sorted((a for a in self.applications.values()), key=lambda a: str(a["application_id"]))
        page = [item for item in items if item["application_id"] > after][:limit]
        cursor = page[-1]["application_id"] if len(page) == limit else None
        answer = JSONResponse({"items": page, "next_cursor": cursor})
        for item in page:
            self.advance(item)
        return answer

    def advance(self, application: dict[str, Any]) -> None:
        for claim in application["claims"]:
            claim.update(status="paid", payment={"payment_id": str(uuid4()), "status": "settled"})
        if application["status"] == "submitted":
            money = dict.fromkeys(("awarded", "claimed", "paid", "rest"), ZERO)
            application.update(
                status="awarded",
                decision={"outcome": "approved", "reasons": []},
                award={"award_id": str(uuid4()), "status": "active", "limited_by": "approved", **money},
            )
