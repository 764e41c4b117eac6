"""What the reconciliation found: each check of each pool, in words, and since when. No decisions."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import tables
from disbursement.api.parts import Parts
from disbursement.api.shown import MoneyOut
from disbursement.reconciliation import queries, results
from disbursement.reconciliation.results import Kept
from disbursement.reconciliation.rules import CHECKS
from kit.openapi import call


class CheckOut(BaseModel):
    check: str = Field(examples=list(CHECKS))
    pool: str
    difference: MoneyOut | None = Field(
        description="added up without regard to sign, at least one fen where anything differs; null: never checked yet"
    )
    detail: list[str] = Field(description="what differs, a sentence each; the first five, and how many more")
    found_at: datetime | None = Field(description="since when it differs; null while it does not")
    checked_at: datetime | None


class KnownFlawOut(BaseModel):
    """A flaw of the chain that people have examined, and that can't be mended."""

    pool: str
    version: int
    why: str
    signed_by: str
    signed_at: datetime


class ReconciliationOut(BaseModel):
    differences: int = Field(description="how many of the items differ")
    checked_at: datetime | None = Field(description="when the oldest result was made; null until each was made once")
    items: list[CheckOut]
    known_flaws: list[KnownFlawOut]


def add(routes: APIRouter, parts: Parts) -> None:
    """Add the report."""

    @routes.get(
        "/reconciliation",
        tags=["ledger"],
        summary="Do the books agree with each other, and where do they not?",
        **call(ReconciliationOut),
    )
    async def get_reconciliation() -> ReconciliationOut:
        async with parts.database.snapshot() as connection:
            pools = [pool.pool for pool in await queries.pools(connection)]
            kept = await results.read(connection)
            flaws = await _known_flaws(connection)
        return ReconciliationOut(
            differences=sum(each.difference > 0 for each in kept.values()),
            checked_at=results.checked_at(kept, pools),
            items=[_item(check, pool, kept.get((check, pool))) for pool in pools for check in CHECKS],
            known_flaws=flaws,
        )


def _item(check: str, pool: str, kept: Kept | None) -> CheckOut:
    if kept is None:
        return CheckOut(check=check, pool=pool, difference=None, detail=[], found_at=None, checked_at=None)
    return CheckOut(
        check=check,
        pool=pool,
        difference=MoneyOut(amount=kept.difference),
        detail=kept.detail.splitlines(),
        found_at=kept.found_at,
        checked_at=kept.checked_at,
    )


async def _known_flaws(connection: AsyncConnection) -> list[KnownFlawOut]:
    columns = tables.known_flaws.c
    rows: Any = await connection.execute(select(tables.known_flaws).order_by(columns.pool, columns.version))
    return [KnownFlawOut(**row) for row in rows.mappings()]
