"""What the portal reads: stored state, by id or by page."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy
from intake import persons, rules, tables, views
from intake.records import Application, Claim, Document, Happening
from kit.among import among_given
from kit.driver import Prepared
from kit.logging import get_logger
from kit.sealing import SealedError, keyring_of

log = get_logger(__name__)

_ONE: Final = select(*[tables.applications.c[name] for name in Application.__struct_fields__]).where(
    tables.applications.c.application_id == bindparam("application_id")
)
_APPLICATION: Final = Prepared(_ONE)
_APPLICATION_OF_CLIENT: Final = Prepared(_ONE.where(tables.applications.c.client == bindparam("client")))
_CLAIMS: Final = Prepared(
    select(*[tables.claims.c[name] for name in Claim.__struct_fields__])
    .where(among_given(tables.claims.c.application_id, "application_ids"))
    .order_by(tables.claims.c.claim_id)
)


async def schemes(connection: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
    """Return the schemes in force, each with whether its window is open now."""
    by_scheme: dict[str, list[Policy]] = {}
    for document in (await connection.execute(select(tables.policies.c.policy))).scalars():
        policy = msgspec.convert(document, Policy)
        by_scheme.setdefault(policy.scheme, []).append(policy)
    current = [rules.current_policy(policies, now) for _, policies in sorted(by_scheme.items())]
    return [{**views.scheme(policy), "open": policy.open_at(now)} for policy in current if policy]


async def any_policy(connection: AsyncConnection) -> bool:
    """Return whether any scheme is known yet."""
    return (await connection.execute(select(tables.policies.c.scheme).limit(1))).first() is not None


Client = str | None
"""Who asks, and sees its own only; None for whoever may see everything."""


async def application(connection: AsyncConnection, application_id: UUID, client: Client) -> dict[str, Any] | None:
    """Return the whole state of one application, or None."""
    rows = await _one(connection, application_id, client)
    found = await _states(connection, rows, client)
    return found[0] if found else None


async def _one(connection: AsyncConnection, application_id: UUID, client: Client) -> Sequence[Any]:
    if client is None:
        return await _APPLICATION.rows(connection, application_id=application_id)
    return await _APPLICATION_OF_CLIENT.rows(connection, application_id=application_id, client=client)


async def applications(
    connection: AsyncConnection,
    *,
    client: Client,
    filters: dict[str, str | None],
    submitted_from: datetime | None,
    submitted_until: datetime | None,
    after: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the applications after ``after`` that match.

    In the order of their ids, which is of their making; asked for by the time of submission, in the order of that.
    Neither ever changes, so pages stay right while rows arrive.
    """
    query = matching(
        filters=filters, submitted_from=submitted_from, submitted_until=submitted_until, after=after, limit=limit
    )
    rows = (await connection.execute(seen_by(query, client))).mappings().all()
    return await _states(connection, rows, client)


def matching(
    *,
    filters: dict[str, str | None],
    submitted_from: datetime | None,
    submitted_until: datetime | None,
    after: UUID | None,
    limit: int,
) -> Select[Any]:
    """Return the query of ``applications``: each order has an index that ends with the id."""
    columns = tables.applications.c
    by_submission = submitted_from is not None or submitted_until is not None
    order = (columns.submitted_at, columns.application_id) if by_submission else (columns.application_id,)
    query = select(tables.applications).order_by(*order).limit(limit)
    for name, value in filters.items():
        if value is not None:
            query = query.where(columns[name] == value)
    if submitted_from is not None:
        query = query.where(columns.submitted_at >= submitted_from)
    if submitted_until is not None:
        query = query.where(columns.submitted_at < submitted_until)
    if after is not None:
        query = query.where(_comes_after(after) if by_submission else columns.application_id > after)
    return query


def _comes_after(after: UUID) -> ColumnElement[bool]:
    """Return whether a row comes after the one of this id, in the order of submission."""
    columns, last = tables.applications.c, tables.applications.alias("last")
    moment = select(last.c.submitted_at).where(last.c.application_id == after).scalar_subquery()
    return tuple_(columns.submitted_at, columns.application_id) > tuple_(
        moment, literal(after, columns.application_id.type)
    )


def seen_by(query: Select[Any], client: Client) -> Select[Any]:
    """Return a query of applications that finds only what the client may see."""
    return query if client is None else query.where(tables.applications.c.client == client)


async def _states(connection: AsyncConnection, rows: Iterable[Any], client: Client) -> list[dict[str, Any]]:
    found = [Application(**row) for row in rows]
    claims = await _claims(connection, [record.application_id for record in found])
    return [
        views.application(
            record, claims.get(record.application_id, []), _contact(connection, record) if client else None
        )
        for record in found
    ]


def _contact(connection: AsyncConnection, record: Application) -> dict[str, Any] | None:
    """Return whom officers may ask, for the client that named them; None, which is shown masked, where it is lost.

    One whose key is gone must not take a whole page of others with it.
    """
    try:
        return persons.contact_of(keyring_of(connection), record.application_id, record.body["applicant"])
    except SealedError as error:
        log.error("contact_unreadable", application_id=str(record.application_id), reason=str(error))  # noqa: TRY400
        return None


async def _claims(connection: AsyncConnection, application_ids: Sequence[UUID]) -> dict[UUID, list[Claim]]:
    by_application: dict[UUID, list[Claim]] = {}
    if application_ids:
        for row in await _CLAIMS.rows(connection, application_ids=application_ids):
            by_application.setdefault(row["application_id"], []).append(Claim(**row))
    return by_application


async def timeline(connection: AsyncConnection, application_id: UUID, client: Client) -> list[dict[str, Any]]:
    """Return what happened to an application, in the order in which it happened."""
    if not await _one(connection, application_id, client):
        return []
    columns = tables.timeline.c
    query = (
        select(tables.timeline).where(columns.application_id == application_id).order_by(columns.at, columns.position)
    )
    return [views.happening(Happening(**row)) for row in (await connection.execute(query)).mappings()]


async def award(connection: AsyncConnection, award_id: UUID, client: Client) -> dict[str, Any] | None:
    """Return an award, or None."""
    query = select(tables.applications).where(tables.applications.c.award_id == award_id)
    record = await _first(connection, seen_by(query, client))
    if record is None:
        return None
    return {"application_id": record.application_id, **(views.award(record) or {})}


async def voucher(connection: AsyncConnection, code: str, provider: str) -> dict[str, Any] | None:
    """Return what a provider may know of a voucher on a contract with it: valid or not, holder, rest."""
    record = await _first(connection, select(tables.applications).where(tables.applications.c.voucher_code == code))
    if record is None or record.award is None:
        return None
    contract = record.body["request"].get("contract")
    if contract is not None and contract["provider"] != provider:
        return None
    return {
        "voucher_code": code,
        "status": record.award["status"],
        "scheme": record.scheme,
        "holder": {"uscc": record.applicant, "name": record.body["applicant"]["name"]},
        "rest": views.money(record.award["rest"]),
        "valid_until": record.award["valid_until"],
    }


async def claim(connection: AsyncConnection, claim_id: UUID, client: Client) -> dict[str, Any] | None:
    """Return a claim, or None."""
    applied = tables.applications.c
    query = select(tables.claims).where(tables.claims.c.claim_id == claim_id)
    if client is not None:
        own = select(applied.application_id).where(applied.client == client)
        query = query.where(tables.claims.c.application_id.in_(own))
    row = (await connection.execute(query)).mappings().first()
    return views.claim(Claim(**row)) if row else None


async def document(connection: AsyncConnection, document_id: UUID) -> Document | None:
    """Return what is known of a document, or None."""
    query = select(tables.documents).where(tables.documents.c.document_id == document_id)
    row = (await connection.execute(query)).mappings().first()
    return Document(**row) if row else None


async def _first(connection: AsyncConnection, query: Select[Any]) -> Application | None:
    row = (await connection.execute(query)).mappings().first()
    return Application(**row) if row else None
