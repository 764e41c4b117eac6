"""The public page's figures over HTTP: pools, their drawdown, the programme's targets. Read only, no secrets."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, FastAPI, Path, Query
from pydantic import BaseModel, Field

from contracts.codec import to_builtins
from contracts.refusal import Refusal
from kit.database import Database
from kit.openapi import call
from metrics import snapshot
from metrics.programme import Programme
from metrics.rules.books import Pool
from metrics.rules.disclosure import LEAST_COMPANIES, REST, Cell, Disclosed
from metrics.snapshot import By


class MoneyOut(BaseModel):
    """An amount of money. A flow may be negative: what came back in that time was more than what left."""

    amount: int = Field(description="whole fen, 1 CNY = 100 fen", examples=[450_000_000_000])
    currency: Literal["CNY"] = "CNY"


class PoolOut(BaseModel):
    """A pool as replayed from its transfers: appropriated = available + committed + obligated + disbursed."""

    pool: str = Field(examples=["ai-package-2025"])
    name: dict[str, str] | None = Field(description="in zh-CN and en; null when the programme's file has none")
    version: int = Field(description="how many transfers the pool has had")
    hash: str = Field(description="hash of the last transfer")
    appropriated: MoneyOut
    available: MoneyOut = Field(description="free to promise")
    committed: MoneyOut = Field(description="promised to awards, not yet claimed")
    obligated: MoneyOut = Field(description="payment instructed, not yet settled")
    disbursed: MoneyOut = Field(description="settled by the bank, net of what was recovered")
    imbalance: MoneyOut = Field(
        description="difference to the balances that the last transfer carried; 0, or the books are wrong"
    )
    chain_breaks: int = Field(description="places where a transfer did not follow the one before it; 0, or look")


class PoolsOut(BaseModel):
    items: list[PoolOut]
    as_of: datetime = Field(description="when the figures were read; all of them are of one moment")


class DrawdownItem(BaseModel):
    key: str = Field(
        description=f"the scheme, the district or the month (YYYY-MM); `{REST}`: those not shown by themselves",
        examples=["nanshan", "2026-03"],
    )
    promised: MoneyOut = Field(description="what left `available`, net of what came back")
    disbursed: MoneyOut = Field(description="what was paid out, net of what was recovered")


class DrawdownOut(BaseModel):
    pool: str
    by: By
    items: list[DrawdownItem]
    withheld: int = Field(
        description=f"how many districts or months `{REST}` stands for: fewer than {LEAST_COMPANIES} companies are "
        "behind one of them, or it would give such a one away",
        examples=[0],
    )
    as_of: datetime


class TargetOut(BaseModel):
    target: str = Field(examples=["opc-communities"])
    name: dict[str, str]
    value: int = Field(description="what was promised to reach")
    actual: int = Field(description="what is reached so far, as far as it is known here")
    unit: str | None
    by: date


class TargetsOut(BaseModel):
    items: list[TargetOut]
    as_of: datetime


TAGS: Final = {"figures": "Where the money is and what is reached. Public: no token is needed."}


def add_routes(app: FastAPI, database: Database, programme: Programme) -> None:
    """Add the ``/v1`` calls to the application."""
    router = APIRouter(prefix="/v1", tags=["figures"])

    @router.get("/pools", summary="The pools and their balances, to the fen", **call(PoolsOut))
    async def list_pools() -> PoolsOut:
        async with database.snapshot() as connection:
            found, as_of = await snapshot.read_pools(connection), await snapshot.moment(connection)
        return PoolsOut(items=_pools(found, programme), as_of=as_of)

    @router.get(
        "/pools/{pool}/drawdown",
        summary="What was promised and disbursed, by scheme, district or month",
        **call(DrawdownOut, refuses=["pool_not_found"]),
    )
    async def get_drawdown(
        pool: Annotated[str, Path(max_length=200, examples=["ai-package-2025"])],
        by: Annotated[By, Query(description="what to group by")] = "month",
    ) -> DrawdownOut:
        async with database.snapshot() as connection:
            known = {each.pool for each in await snapshot.read_pools(connection)}
            as_of = await snapshot.moment(connection)
            if by == "scheme":
                found = Disclosed(await snapshot.read_drawdown(connection, pool, by), 0)
            else:
                found = (await snapshot.read_disclosed(connection, by)).get(pool, Disclosed((), 0))
        if pool not in known:
            raise _unknown(pool)
        return DrawdownOut(pool=pool, by=by, items=_drawdown(found.cells), withheld=found.withheld, as_of=as_of)

    @router.get("/targets", summary="The programme's targets against what is reached", **call(TargetsOut))
    async def list_targets() -> TargetsOut:
        async with database.snapshot() as connection:
            found, as_of = await snapshot.read_tallies(connection), await snapshot.moment(connection)
        items = [
            TargetOut(
                target=each.target,
                name=to_builtins(each.name),
                value=each.value,
                actual=each.actual(found),
                unit=each.unit,
                by=each.by,
            )
            for each in programme.targets
        ]
        return TargetsOut(items=items, as_of=as_of)

    app.include_router(router)


def _pools(pools: Sequence[Pool], programme: Programme) -> list[PoolOut]:
    return [
        PoolOut(
            pool=pool.pool,
            name=programme.name_of(pool.pool),
            version=pool.version,
            hash=pool.hash,
            appropriated=MoneyOut(amount=pool.appropriated),
            available=MoneyOut(amount=pool.available),
            committed=MoneyOut(amount=pool.committed),
            obligated=MoneyOut(amount=pool.obligated),
            disbursed=MoneyOut(amount=pool.disbursed),
            imbalance=MoneyOut(amount=pool.imbalance),
            chain_breaks=pool.breaks,
        )
        for pool in pools
    ]


def _drawdown(found: Sequence[Cell]) -> list[DrawdownItem]:
    return [
        DrawdownItem(key=each.key, promised=MoneyOut(amount=each.promised), disbursed=MoneyOut(amount=each.disbursed))
        for each in found
    ]


def _unknown(pool: str) -> Refusal:
    return Refusal("pool_not_found", f"没有资金池 {pool}。", f"There is no pool {pool}.", status=404)
