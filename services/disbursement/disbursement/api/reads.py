"""What finance and auditors read. Queries to results; no decisions."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contracts.common import Text
from contracts.refusal import Refusal
from disbursement import queries
from disbursement.api.parts import Parts
from kit.http import page_of

Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many items")]
PaymentStatus = Literal["held", "instructed", "settled", "returned", "cancelled"]
OrderStatus = Literal["proposed", "executed", "rejected"]


class MoneyOut(BaseModel):
    amount: int = Field(description="whole fen")
    currency: Literal["CNY"] = "CNY"


class PoolOut(BaseModel):
    """A pool and its books: appropriated = available + committed + obligated + disbursed, to the fen."""

    pool: str
    name: dict[str, str]
    version: int = Field(description="number of transfers posted to this pool")
    hash: str = Field(description="hash of the pool's last transfer")
    on_hold: str | None = Field(description="why nothing new is awarded from it; null when it is open")
    appropriated: MoneyOut
    available: MoneyOut
    committed: MoneyOut
    obligated: MoneyOut
    disbursed: MoneyOut


class PoolsOut(BaseModel):
    items: list[PoolOut]


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
    @routes.get("/pools", tags=["pools"], summary="All pools with their balances")
    async def list_pools() -> PoolsOut:
        async with parts.database.reading() as connection:
            return PoolsOut(items=[PoolOut(**pool) for pool in await queries.pools(connection)])

    @routes.get("/envelopes", tags=["pools"], summary="What each scheme may commit in a year, and has")
    async def list_envelopes() -> Page:
        async with parts.database.reading() as connection:
            return Page(items=await queries.envelopes(connection), next_cursor=None)


def _add_transfers(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/transfers", tags=["ledger"], summary="A pool's transfers as published, by version")
    async def list_transfers(
        pool: str,
        after_version: Annotated[int, Query(ge=0, description="begin behind this version")] = 0,
        limit: Limit = 100,
        cursor: Annotated[
            int | None, Query(ge=0, description="as `after_version`; counts where both are given")
        ] = None,
    ) -> Page:
        after = after_version if cursor is None else cursor
        async with parts.database.reading() as connection:
            rows = await queries.transfers(connection, pool=pool, after=after, limit=limit + 1)
        return Page(**page_of(rows, limit, "version"))


def _add_awards(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/awards", tags=["awards"], summary="Awards, in the order of their ids")
    async def list_awards(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            return Page(**page_of(await queries.awards(connection, after=cursor, limit=limit + 1), limit, "award_id"))

    @routes.get("/awards/{award_id}", tags=["awards"], summary="One award")
    async def get_award(award_id: UUID) -> dict[str, Any]:
        async with parts.database.reading() as connection:
            award = await queries.award(connection, award_id)
        if award is None:
            raise _unknown("award", award_id)
        return award

    @routes.get("/claims", tags=["awards"], summary="Verified claims and what they pay, in the order of their ids")
    async def list_claims(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            return Page(**page_of(await queries.claims(connection, after=cursor, limit=limit + 1), limit, "claim_id"))

    @routes.get("/recoveries", tags=["awards"], summary="Money demanded back, in the order of the demands")
    async def list_recoveries(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.recoveries(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "recovery_id"))


def _add_payments(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/payments", tags=["payments"], summary="Payments, in the order of their ids")
    async def list_payments(
        status: PaymentStatus | None = None, limit: Limit = 100, cursor: UUID | None = None
    ) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.payments(connection, status=status, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "payment_id"))

    @routes.get("/discrepancies", tags=["payments"], summary="Bank reports that moved nothing and need a person")
    async def list_discrepancies(limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.discrepancies(connection, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "event_id"))


def _add_orders(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/orders", tags=["orders"], summary="What people ordered, in the order of asking")
    async def list_orders(status: OrderStatus | None = None, limit: Limit = 100, cursor: UUID | None = None) -> Page:
        async with parts.database.reading() as connection:
            rows = await queries.orders(connection, status=status, after=cursor, limit=limit + 1)
        return Page(**page_of(rows, limit, "order_id"))


def _unknown(kind: str, identifier: UUID) -> Refusal:
    text = Text(zh=f"未找到 {kind} {identifier}。", en=f"There is no {kind} {identifier}.")
    return Refusal(f"{kind}_not_found", text.zh, text.en, status=404)
