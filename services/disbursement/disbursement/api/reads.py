"""What finance and auditors read. Queries to results; no decisions."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contracts.money import LARGEST_EXACT_INTEGER
from disbursement import queries
from disbursement.api import shown
from disbursement.api.parts import Parts
from disbursement.refusals import not_found
from kit.http import page_of
from kit.openapi import call

Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many items")]
Version = Annotated[int, Field(ge=0, le=LARGEST_EXACT_INTEGER)]
PaymentStatus = Literal["held", "instructed", "settled", "returned", "cancelled"]
OrderStatus = Literal["proposed", "executed", "rejected"]


class Page(BaseModel):
    items: list[dict[str, Any]]
    next_cursor: str | None = Field(description="hand this back as `cursor` for what follows; null at the end")


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the calls that read: pools and envelopes are public, companies' business is finance's and auditors'."""
    _add_pools(routes, parts)
    inside = APIRouter(dependencies=[parts.access.principal("finance", "auditor")])
    _add_transfers(inside, parts)
    _add_awards(inside, parts)
    _add_payments(inside, parts)
    _add_orders(inside, parts)
    routes.include_router(inside)


def _add_pools(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/pools", tags=["pools"], summary="All pools with their balances", **call(shown.PoolsOut))
    async def list_pools() -> shown.PoolsOut:
        async with parts.database.reading() as connection:
            return shown.PoolsOut(items=[shown.PoolOut(**pool) for pool in await queries.pools(connection)])

    @routes.get(
        "/envelopes",
        tags=["pools"],
        summary="What each scheme may commit in a year, and has",
        **call(shown.EnvelopesOut),
    )
    async def list_envelopes() -> Page:
        async with parts.database.reading() as connection:
            return Page(items=await queries.envelopes(connection), next_cursor=None)


def _add_transfers(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/transfers", tags=["ledger"], summary="A pool's transfers as published, by version", **call(shown.TransfersOut)
    )
    async def list_transfers(
        pool: Annotated[str, Query(max_length=200, examples=["ai-package-2025"])],
        after_version: Annotated[
            int, Query(ge=0, le=LARGEST_EXACT_INTEGER, description="begin behind this version")
        ] = 0,
        limit: Limit = 100,
        cursor: Annotated[
            int | None,
            Query(ge=0, le=LARGEST_EXACT_INTEGER, description="as `after_version`; counts where both are given"),
        ] = None,
    ) -> Page:
        after = after_version if cursor is None else cursor
        async with parts.database.reading() as connection:
            rows = await queries.transfers(connection, pool=pool, after=after, limit=limit + 1)
        return Page(**page_of(rows, limit, "version"))


def _add_awards(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/awards",
        tags=["awards"],
        summary="Awards, in the order of their ids",
        **call(shown.AwardsOut),
    )
    async def list_awards(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            return Page(**page_of(await queries.awards(connection, after=cursor, limit=limit + 1), limit, "award_id"))

    @routes.get(
        "/awards/{award_id}", tags=["awards"], summary="One award", **call(shown.AwardOut, refuses=["award_not_found"])
    )
    async def get_award(award_id: UUID) -> dict[str, Any]:
        async with parts.database.reading() as connection:
            award = await queries.award(connection, award_id)
        if award is None:
            raise not_found("award", award_id)
        return award

    @routes.get(
        "/claims",
        tags=["awards"],
        summary="Verified claims and what they pay, in the order of their ids",
        **call(shown.ClaimsOut),
    )
    async def list_claims(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            return Page(**page_of(await queries.claims(connection, after=cursor, limit=limit + 1), limit, "claim_id"))

    @routes.get(
        "/recoveries",
        tags=["awards"],
        summary="Money demanded back, in the order of the demands",
        **call(shown.RecoveriesOut),
    )
    async def list_recoveries(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.recoveries(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "recovery_id"))


def _add_payments(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/payments", tags=["payments"], summary="Payments, in the order of their ids", **call(shown.PaymentsOut)
    )
    async def list_payments(
        status: PaymentStatus | None = None, limit: Limit = 100, cursor: UUID | None = None
    ) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.payments(connection, status=status, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "payment_id"))

    @routes.get(
        "/discrepancies",
        tags=["payments"],
        summary="Bank reports that moved nothing and need a person",
        **call(shown.DiscrepanciesOut),
    )
    async def list_discrepancies(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.discrepancies(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "event_id"))


def _add_orders(routes: APIRouter, parts: Parts) -> None:
    @routes.get(
        "/orders", tags=["orders"], summary="What people ordered, in the order of asking", **call(shown.OrdersOut)
    )
    async def list_orders(status: OrderStatus | None = None, limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.orders(connection, status=status, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "order_id"))
