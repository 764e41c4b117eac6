"""What an operator asks of every service that holds persons' data: which keys it uses, all that it has of one
applicant, and to erase what names or pays persons, keeping the books.

A service says what it holds (``Holdings``). ``privacy_audit`` keeps who exported or erased, and why.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Protocol

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit import resealing
from kit.access import Access, Principal
from kit.database import Database
from kit.fields import Flag
from kit.openapi import call
from kit.resealing import Column
from kit.sealing import keyring_of

TAG: Final = "privacy"

Item = dict[str, Any]
Applicant = Annotated[
    str, Field(min_length=1, max_length=64, description="unified social credit code", examples=["91440300708461136T"])
]
Why = Annotated[
    str, Field(min_length=1, max_length=500, description="kept in the audit", examples=["a request of 2 March"])
]

_AUDIT: Final = text(
    """
    INSERT INTO privacy_audit (who, why, action, applicant, changed)
    VALUES (:who, :why, :action, :applicant, :changed)
    """
)
_PARKED: Final = text("SELECT count(*) FROM parked WHERE key = :applicant AND state = 'parked'")
_ERASE_SETTLED: Final = text(
    "UPDATE parked SET value = NULL WHERE key = :applicant AND state <> 'parked' AND value IS NOT NULL"
)
_COMMON: Final = {"parked": "key = :applicant", "privacy_audit": "applicant = :applicant"}


class Holdings(Protocol):
    """What one service holds of applicants."""

    @property
    def columns(self) -> Sequence[Column]:
        """Return what is sealed."""

    @property
    def tables(self) -> Mapping[str, str]:
        """Return the tables that speak of applicants, each with the condition on the rows of ``:applicant``."""

    def opened(self, keyring: Any, table: str, row: Item) -> Item:
        """Return a row with what is sealed in clear."""

    async def open_matters(self, connection: AsyncConnection, applicant: str, now: datetime) -> list[str]:
        """Lock what is there of the applicant; return what is not finished, each in words. Empty: it may be erased."""

    async def erase(self, connection: AsyncConnection, applicant: str, now: datetime) -> dict[str, int]:
        """Erase what is in the database; return how many rows changed, by table. What was erased before is left."""

    async def finish(self, connection: AsyncConnection, applicant: str) -> int:
        """Erase what is outside of the database; return how much that was. It may be done again."""


class ExportIn(BaseModel):
    applicant: Applicant
    why: Why


class ExportOut(BaseModel):
    """All that this service holds of the applicant, in clear."""

    applicant: str = Field(examples=["91440300708461136T"])
    at: datetime
    tables: dict[str, list[Item]]


class ErasureIn(BaseModel):
    """A dry run does everything, says how it went, and undoes it."""

    applicant: Applicant
    dry_run: Flag = True
    why: Why


class ErasureOut(BaseModel):
    """What was, or would be, erased."""

    applicant: str = Field(examples=["91440300708461136T"])
    dry_run: bool
    at: datetime
    open: list[str] = Field(description="what stands in the way; nothing is erased while anything does")
    erased: dict[str, int] = Field(description="rows that were, or would be, changed, by table")


class KeyUseOut(BaseModel):
    """How many rows of a table are sealed under a key, 10,000 at most; `key_id` null: stored in clear."""

    table: str = Field(examples=["applications"])
    key_id: str | None = Field(examples=["2026-03"])
    rows: int


class KeysOut(BaseModel):
    """Which keys there are, the sealing one first, and where each is used."""

    key_ids: list[str] = Field(examples=[["2026-03", "2025-09"]])
    items: list[KeyUseOut]


def router(database: Database | None, holdings: Holdings | None, access: Access) -> APIRouter:
    """Return the routes. Without their parts they can be described, not called."""
    routes = APIRouter(prefix="/admin/privacy", tags=[TAG])
    reader: Any = access.principal("ops", "auditor")
    auditor: Any = access.principal("auditor")
    operator: Any = access.principal("ops")

    def parts() -> tuple[Database, Holdings]:
        assert database is not None, "described, not called"
        assert holdings is not None, "described, not called"
        return database, holdings

    @routes.get("/keys", summary="Which keys are used, and where; which rows are stored in clear", **call(KeysOut))
    async def list_keys(_person: Annotated[Principal, reader]) -> KeysOut:
        found, held = parts()
        async with found.reading() as connection:
            keyring = keyring_of(connection)
            uses = await resealing.uses(connection, keyring, held.columns)
        return KeysOut.model_validate(
            {"key_ids": keyring.key_ids, "items": [msgspec.structs.asdict(use) for use in uses]}
        )

    @routes.post("/export", summary="All that is held of one applicant, in clear; kept in the audit", **call(ExportOut))
    async def export_applicant(body: ExportIn, person: Annotated[Principal, auditor]) -> ExportOut:
        found, held = parts()
        async with found.transaction() as connection:
            now = await _now(connection)
            tables = await held_of(connection, held, body.applicant)
            rows = sum(len(each) for each in tables.values())
            await _note(connection, person, body.why, action="export", applicant=body.applicant, changed=rows)
        return ExportOut(applicant=body.applicant, at=now, tables=tables)

    @routes.post(
        "/erasure",
        summary="Erase what names or pays persons; a dry run unless told otherwise",
        **call(ErasureOut, refuses=["applicant_not_at_rest"]),
    )
    async def erase_applicant(body: ErasureIn, person: Annotated[Principal, operator]) -> ErasureOut:
        return await erased(*parts(), body, person)

    return routes


async def held_of(connection: AsyncConnection, holdings: Holdings, applicant: str) -> dict[str, list[Item]]:
    """Return the applicant's rows by table, what is sealed in clear."""
    keyring, found = keyring_of(connection), {}
    for table, condition in {**holdings.tables, **_COMMON}.items():
        query = text(f"SELECT CAST(to_jsonb(t) AS text) FROM {table} AS t WHERE {condition}")  # noqa: S608  # ours
        rows = (await connection.execute(query, {"applicant": applicant})).scalars()
        found[table] = [holdings.opened(keyring, table, _readable(msgspec.json.decode(row))) for row in rows]
    return found


async def erased(database: Database, holdings: Holdings, body: ErasureIn, person: Principal) -> ErasureOut:
    """Erase, or find out what that would do. Raises a Refusal while something is open."""
    async with database.engine.connect() as connection, connection.begin() as transaction:
        now, applicant = await _now(connection), body.applicant
        matters = await holdings.open_matters(connection, applicant, now)
        if parked := (await connection.execute(_PARKED, {"applicant": applicant})).scalar_one():
            matters.append(f"{parked} events are parked: drawdown events parked")
        if matters and not body.dry_run:
            raise _open(matters)
        changed = {} if matters else await holdings.erase(connection, applicant, now)
        if not matters:
            changed["parked"] = (await connection.execute(_ERASE_SETTLED, {"applicant": applicant})).rowcount
        if body.dry_run:
            await transaction.rollback()
        else:
            rows = sum(changed.values())
            await _note(connection, person, body.why, action="erase", applicant=applicant, changed=rows)
    if not body.dry_run:
        async with database.reading() as connection:
            changed["outside"] = await holdings.finish(connection, applicant)
    return ErasureOut(applicant=applicant, dry_run=body.dry_run, at=now, open=matters, erased=changed)


def _open(matters: Sequence[str]) -> Refusal:
    said = "; ".join(matters)
    return Refusal(
        "applicant_not_at_rest",
        f"该申请人仍有未了结事项，办结后方可删除：{said}。",
        f"Something of this applicant is not finished; nothing was erased: {said}.",
    )


def _readable(row: Item) -> Item:
    """Show bytes that are a text as that text."""
    return {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}


def _text(value: str) -> str:
    if not value.startswith("\\x"):
        return value
    try:
        return bytes.fromhex(value[2:]).decode()
    except ValueError:
        return value


async def _now(connection: AsyncConnection) -> datetime:
    found: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return found


async def _note(connection: AsyncConnection, person: Principal, why: str, **what: Any) -> None:
    await connection.execute(_AUDIT, {"who": person.subject, "why": why, **what})
