"""The applications: what the consumer stores of them, and what the assessor leases and decides."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Account, Reason
from contracts.events import ApplicationSubmitted
from contracts.money import Money
from eligibility.records import Assessment
from eligibility.store.columns import json_or_null, typed
from kit import accounts
from kit.database import to_json
from kit.sealing import Keyring, keyring_of

_COLUMNS: Final = """
    application_id, policy_version, submitted, status, traceparent, facts, outcome, reasons, approved, cap_holder,
    decided_at, waits_for, next_try_at, attempts, due_at, missed_at, left_seconds,
    approved_at
"""
_LOCK: Final = text(
    f"""
    SELECT {_COLUMNS} FROM assessments WHERE application_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY application_id FOR UPDATE
    """  # noqa: S608  # the columns are a constant
)
_ADD: Final = text(
    """
    INSERT INTO assessments (application_id, scheme, applicant, policy_version, submitted, submitted_at, traceparent,
      status, next_try_at, due_at)
    SELECT id, scheme, applicant, version, CAST(submitted AS jsonb), submitted_at, traceparent, status, :now, due_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:schemes AS text[]), CAST(:applicants AS text[]),
      CAST(:versions AS text[]), CAST(:submitted AS text[]), CAST(:submitted_at AS timestamptz[]),
      CAST(:traceparents AS text[]), CAST(:statuses AS text[]), CAST(:due_at AS timestamptz[])
    ) AS u(id, scheme, applicant, version, submitted, submitted_at, traceparent, status, due_at)
    """
)
_WITHDRAW: Final = text(
    """
    UPDATE assessments SET status = 'withdrawn', due_at = NULL, missed_at = NULL
    WHERE application_id = ANY(CAST(:ids AS uuid[]))
    """
)


async def lock(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Assessment]:
    """Lock and return the assessments that exist of these applications."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await connection.execute(_LOCK, {"ids": wanted})
    return {row.application_id: _assessment(row) for row in rows}


async def add(connection: AsyncConnection, new: Sequence[Assessment], now: datetime) -> None:
    """Store applications that were submitted; they are due at once."""
    if not new:
        return
    values = {
        "now": now,
        "ids": [one.application_id for one in new],
        "schemes": [one.submitted.scheme for one in new],
        "applicants": [one.submitted.applicant for one in new],
        "versions": [one.policy_version for one in new],
        "submitted": [to_json(carried(keyring_of(connection), one.submitted)) for one in new],
        "submitted_at": [one.submitted.submitted_at for one in new],
        "traceparents": [one.traceparent for one in new],
        "statuses": [one.status for one in new],
        "due_at": [one.due_at for one in new],
    }
    await connection.execute(_ADD, values)


def carried(keyring: Keyring, submitted: ApplicationSubmitted) -> ApplicationSubmitted:
    """Return what was submitted with its account sealed: of before accounts were, it came in clear."""
    company = submitted.company
    account = accounts.carried(keyring, submitted.application_id, company.account, company.name)
    return submitted if account is company.account else with_account(submitted, account)


def with_account(submitted: ApplicationSubmitted, account: Account) -> ApplicationSubmitted:
    company = msgspec.structs.replace(submitted.company, account=account)
    return msgspec.structs.replace(submitted, company=company)


async def withdraw(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    """Mark locked assessments as withdrawn."""
    if ids:
        await connection.execute(_WITHDRAW, {"ids": sorted(ids)})


# --- leases ------------------------------------------------------------------------------------------------

_LEASE: Final = text(
    f"""
    WITH due AS (
      SELECT application_id FROM assessments
      WHERE status IN ('pending', 'waiting') AND next_try_at <= now()
        AND (leased_until IS NULL OR leased_until < now())
      ORDER BY next_try_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), leased AS (
      UPDATE assessments SET leased_until = now() + make_interval(secs => :seconds), lease_token = :token
      FROM due WHERE assessments.application_id = due.application_id RETURNING assessments.*
    )
    SELECT {_COLUMNS} FROM leased ORDER BY application_id
    """  # noqa: S608
)
_LOCK_LEASED: Final = text(
    f"""
    SELECT {_COLUMNS} FROM assessments
    WHERE lease_token = :token AND status IN ('pending', 'waiting')
      AND application_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY application_id FOR UPDATE
    """  # noqa: S608
)
_NOW: Final = text("SELECT now()")
_GIVE_BACK: Final = text(
    """
    UPDATE assessments SET leased_until = NULL, lease_token = NULL
    WHERE lease_token = :token AND application_id = ANY(CAST(:ids AS uuid[]))
    """
)
_STORE_TRIES: Final = text(
    """
    UPDATE assessments AS a SET
      status = u.status, facts = CAST(u.facts AS jsonb), outcome = u.outcome, reasons = CAST(u.reasons AS jsonb),
      approved = CAST(u.approved AS jsonb), cap_holder = u.cap_holder, decided_at = u.decided_at,
      waits_for = u.waits_for, next_try_at = u.next_try_at, attempts = u.attempts,
      due_at = u.due_at, missed_at = u.missed_at, left_seconds = u.left_seconds,
      approved_at = u.approved_at,
      leased_until = NULL, lease_token = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:facts AS text[]), CAST(:outcomes AS text[]),
      CAST(:reasons AS text[]), CAST(:approved AS text[]), CAST(:cap_holders AS text[]),
      CAST(:decided_at AS timestamptz[]), CAST(:waits_for AS text[]),
      CAST(:next_try_at AS timestamptz[]), CAST(:attempts AS int[]), CAST(:due_at AS timestamptz[]),
      CAST(:missed_at AS timestamptz[]), CAST(:left_seconds AS float8[]),
      CAST(:approved_at AS timestamptz[])
    ) AS u(id, status, facts, outcome, reasons, approved, cap_holder, decided_at, waits_for, next_try_at,
      attempts, due_at, missed_at, left_seconds, approved_at)
    WHERE a.application_id = u.id
    """
)


async def now(connection: AsyncConnection) -> datetime:
    """Return when this transaction began, by the database's clock."""
    moment: datetime = (await connection.execute(_NOW)).scalar_one()
    return moment


async def lease_due(connection: AsyncConnection, *, token: UUID, limit: int, seconds: float) -> dict[UUID, Assessment]:
    """Take the applications that are due and that nobody holds; another process can't until the lease is over."""
    rows = await connection.execute(_LEASE, {"token": token, "limit": limit, "seconds": seconds})
    return {row.application_id: _assessment(row) for row in rows}


async def lock_leased(
    connection: AsyncConnection, *, token: UUID, ids: Iterable[UUID]
) -> tuple[datetime, dict[UUID, Assessment]]:
    """Lock those that are still ours and still open; return the transaction's time with them.

    Left out are the withdrawn, and those that another process took over after our lease.
    """
    rows = await connection.execute(_LOCK_LEASED, {"token": token, "ids": sorted(ids)})
    return await now(connection), {row.application_id: _assessment(row) for row in rows}


async def give_back(connection: AsyncConnection, *, token: UUID, ids: Iterable[UUID]) -> None:
    """End a lease without a result: they are due for anybody."""
    await connection.execute(_GIVE_BACK, {"token": token, "ids": sorted(ids)})


async def store_tries(connection: AsyncConnection, tried: Sequence[Assessment]) -> None:
    """Store what a try came to, decided or not, and end the lease on it."""
    values = {
        "ids": [one.application_id for one in tried],
        "statuses": [one.status for one in tried],
        "facts": [json_or_null(one.facts) for one in tried],
        "outcomes": [one.outcome for one in tried],
        "reasons": [json_or_null(one.reasons) for one in tried],
        "approved": [json_or_null(one.approved) for one in tried],
        "cap_holders": [one.cap_holder for one in tried],
        "decided_at": [one.decided_at for one in tried],
        "waits_for": [one.waits_for for one in tried],
        "next_try_at": [one.next_try_at for one in tried],
        "attempts": [one.attempts for one in tried],
        "due_at": [one.due_at for one in tried],
        "missed_at": [one.missed_at for one in tried],
        "left_seconds": [one.left_seconds for one in tried],
        "approved_at": [one.approved_at for one in tried],
    }
    await connection.execute(_STORE_TRIES, values)


# --- reads -------------------------------------------------------------------------------------------------

_PAGE: Final = text(
    f"""
    SELECT {_COLUMNS} FROM assessments
    WHERE application_id > CAST(:after AS uuid) OR CAST(:after AS uuid) IS NULL
    ORDER BY application_id LIMIT :limit
    """  # noqa: S608
)
_DECIDED: Final = text(
    f"""
    SELECT {_COLUMNS} FROM assessments
    WHERE status = 'decided' AND (CAST(:scheme AS text) IS NULL OR scheme = :scheme) AND submitted_at >= :since
      AND (CAST(:after_time AS timestamptz) IS NULL OR (submitted_at, application_id) > (:after_time, :after_id))
    ORDER BY submitted_at, application_id LIMIT :limit
    """  # noqa: S608
)
_ACCREDITED: Final = text(
    """
    SELECT DISTINCT a.applicant FROM assessments AS a
    JOIN policies AS p ON p.scheme = a.scheme AND p.version = a.policy_version
    WHERE a.applicant = ANY(CAST(:codes AS text[])) AND a.outcome = 'approved' AND a.status <> 'withdrawn'
      AND p.document ->> 'kind' = 'accreditation'
    """
)
_ONE: Final = text(f"SELECT {_COLUMNS} FROM assessments WHERE application_id = :id")  # noqa: S608


async def page(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[Assessment]:
    """Return assessments in the order of their ids, from behind ``after``."""
    return [_assessment(row) for row in await connection.execute(_PAGE, {"after": after, "limit": limit})]


async def decided(
    connection: AsyncConnection, *, scheme: str | None, since: datetime, after: Assessment | None, limit: int
) -> list[Assessment]:
    """Return decided assessments by the time of their submission, from behind ``after``."""
    values = {
        "scheme": scheme,
        "since": since,
        "after_time": after.submitted.submitted_at if after else None,
        "after_id": after.application_id if after else None,
        "limit": limit,
    }
    return [_assessment(row) for row in await connection.execute(_DECIDED, values)]


async def accredited(connection: AsyncConnection, codes: Iterable[str]) -> set[str]:
    """Return which of these companies have an approved accreditation."""
    return set((await connection.execute(_ACCREDITED, {"codes": sorted(set(codes))})).scalars())


async def find(connection: AsyncConnection, application_id: UUID) -> Assessment | None:
    row = (await connection.execute(_ONE, {"id": application_id})).first()
    return None if row is None else _assessment(row)


# --- rows --------------------------------------------------------------------------------------------------


def _assessment(row: Row[Any]) -> Assessment:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented way to a row's names
    return Assessment(
        **values
        | {
            "submitted": msgspec.convert(row.submitted, ApplicationSubmitted),
            "facts": typed(row.facts, dict[str, dict[str, Any]]),
            "reasons": typed(row.reasons, tuple[Reason, ...]),
            "approved": typed(row.approved, Money),
        }
    )
