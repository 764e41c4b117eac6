"""The monolith over HTTP: the portal's calls, finance's, and what is read. The paths and bodies are Drawdown's own."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from benchmarks.peers.synchronous import applying, claiming, paying, showing
from benchmarks.peers.synchronous.models import STATES, Application, Award, Claim, Happening, Pool
from benchmarks.peers.synchronous.office import Office
from disbursement.api.schemas import Reported
from intake import rules as portal_rules
from intake import views
from intake.callers import READERS, client_of, viewer
from intake.problems import PROBLEMS
from intake.schemas import NewApplication, NewClaim, Withdrawal
from kit.access import Access, Principal
from kit.http import create_app
from kit.idempotency import Key
from kit.writes import IdempotencyKey, key_of, response_of


class AccountStatus(BaseModel):
    """Whether an account is the company's."""

    type: Literal["verified", "rejected"]
    reason_code: str | None = None


def create(office: Office, access: Access) -> FastAPI:
    """Return the application."""
    app = create_app(service="synchronous", title="synchronous", description="", trouble={}, own_problems=PROBLEMS)
    _add_writes(app, office, access)
    _add_finance(app, office, access)
    _add_reads(app, office, access)
    return app


def _add_writes(app: FastAPI, office: Office, access: Access) -> None:
    Sender = Annotated[Principal, access.principal("portal")]  # noqa: N806  # a type

    @app.post("/v1/applications", status_code=201)
    async def create_application(
        request: Request, body: NewApplication, person: Sender, idempotency_key: IdempotencyKey = None
    ) -> Response:
        if not body.submit:
            raise HTTPException(501, "Drafts are not covered here.")
        key = await _key(request, client_of(person), idempotency_key)
        parts = body.model_dump(mode="json", exclude={"scheme", "submit"})
        return response_of(await applying.apply(office, key, client_of(person), body.scheme, parts))

    @app.post("/v1/applications/{application_id}/withdrawal")
    async def withdraw(
        request: Request,
        application_id: UUID,
        body: Withdrawal,
        person: Sender,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await _key(request, client_of(person), idempotency_key)
        return response_of(await applying.withdraw(office, key, client_of(person), application_id, body.reason))

    @app.post("/v1/awards/{award_id}/claims", status_code=201)
    async def create_claim(
        request: Request, award_id: UUID, body: NewClaim, person: Sender, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = await _key(request, client_of(person), idempotency_key)
        sent = body.model_dump(mode="json")
        return response_of(await claiming.claim(office, key, client_of(person), award_id, sent))


def _add_finance(app: FastAPI, office: Office, access: Access) -> None:
    Finance = Annotated[Principal, access.principal("finance")]  # noqa: N806  # a type
    Limit = Annotated[int, Query(ge=1, le=500)]  # noqa: N806  # a type

    @app.get("/v1/payments")
    async def list_payments(_person: Finance, status: Literal["instructed"], limit: Limit = 100) -> Response:
        del status  # the only one that can be asked for
        return _json({"items": await paying.instructed(office, limit)})

    @app.get("/v1/account-verifications")
    async def list_questions(_person: Finance, status: Literal["asked"], limit: Limit = 100) -> Response:
        del status
        return _json({"items": await paying.asked(office, limit)})

    @app.post("/v1/payments/{payment_id}/status")
    async def report_payment(
        request: Request, payment_id: UUID, body: Reported, person: Finance, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = await _key(request, person.subject, idempotency_key)
        return response_of(await paying.report(office, key, body.event(payment_id, body.at)))

    @app.post("/v1/account-verifications/{verification_id}/status")
    async def report_account(
        request: Request,
        verification_id: UUID,
        body: AccountStatus,
        person: Finance,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        key = await _key(request, person.subject, idempotency_key)
        return response_of(await paying.account_is(office, key, verification_id, body.type, body.reason_code))


def _add_reads(app: FastAPI, office: Office, access: Access) -> None:
    Reader = Annotated[Principal, access.principal(*READERS)]  # noqa: N806  # a type

    @app.get("/v1/applications/{application_id}")
    async def get_application(application_id: UUID, person: Reader) -> Response:
        claims = selectinload(Application.claims).joinedload(Claim.payment)
        query = select(Application).where(Application.application_id == application_id)
        async with office.sessions() as session:
            found = await session.scalar(query.options(joinedload(Application.award), claims))
        if found is None or viewer(person) not in (None, found.client):
            raise portal_rules.not_found("application", application_id)
        return _json(showing.application(found, found.award, found.claims))

    @app.get("/v1/applications/{application_id}/timeline")
    async def get_timeline(application_id: UUID, person: Reader) -> Response:
        lines = (
            select(Happening)
            .join(Application, Application.application_id == Happening.application_id)
            .where(Happening.application_id == application_id)
            .order_by(Happening.at, Happening.position)
        )
        if (client := viewer(person)) is not None:
            lines = lines.where(Application.client == client)
        async with office.sessions() as session:
            found = [_line(line) for line in await session.scalars(lines)]
        if not found:
            raise portal_rules.not_found("application", application_id)
        return _json({"items": found, "next_cursor": None})

    @app.get("/v1/pools")
    async def list_pools() -> Response:
        async with office.sessions() as session:
            return _json({"items": [_pool(pool) for pool in await session.scalars(select(Pool).order_by(Pool.pool))]})

    @app.get("/v1/figures")
    async def list_figures() -> Response:
        """What the metrics service counts, asked of the tables at the moment it is wanted."""
        applications = select(Application.scheme, Application.status, func.count()).group_by(
            Application.scheme, Application.status
        )
        claims = select(Claim.status, func.count(), func.sum(Claim.payable)).group_by(Claim.status)
        awards = select(Award.scheme, Award.district, func.sum(Award.awarded), func.sum(Award.disbursed)).group_by(
            Award.scheme, Award.district
        )
        async with office.sessions() as session:
            found = {
                "applications": [list(row) for row in await session.execute(applications)],
                "claims": [list(row) for row in await session.execute(claims)],
                "awards": [list(row) for row in await session.execute(awards)],
            }
        return _json(found)


async def _key(request: Request, client: str, given: str | None) -> Key:
    key = await key_of(request, client, given)
    assert key is not None, "it is required"
    return key


def _line(line: Happening) -> dict[str, Any]:
    return {"at": line.at, "type": line.type, "claim_id": line.claim_id, "data": line.data}


def _pool(pool: Pool) -> dict[str, Any]:
    amounts = {name: views.money(getattr(pool, name)) for name in ("appropriated", *STATES)}
    return {"pool": pool.pool, "version": pool.version, **amounts}


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
