"""The applications: what the consumer stores of them, and what the assessor leases and decides."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Account, Reason
from contracts.events import ApplicationSubmitted
from contracts.money import Money
from eligibility.records import Assessment, Lease
from eligibility.store.columns import json_or_null, typed
from kit import accounts
from kit.database import to_json
from kit.driver import execute, fetch
from kit.rows import Writes
from kit.sealing import Keyring, keyring_of

_COLUMNS: Final = """
    application_id, policy_version, submitted, status, traceparent, facts, outcome, reasons, approved, cap_holder,
    decided_at, waits_for, next_try_at, attempts, due_at, missed_at, left_seconds,
    approved_at
"""
_LOCK: Final = f"""
SELECT {_COLUMNS} FROM assessments WHERE application_id = ANY($1::uuid[])
ORDER BY application_id FOR UPDATE
"""  # noqa: S608  # the columns are a constant
_ADD: Final = """
INSERT INTO assessments (application_id, scheme, applicant, policy_version, submitted, submitted_at, traceparent,
  status, facts, outcome, reasons, approved, cap_holder, decided_at, waits_for, next_try_at, attempts, due_at,
  approved_at, lease_token, leased_until)
SELECT id, scheme, applicant, version, submitted::jsonb, submitted_at, traceparent, status, facts::jsonb, outcome,
  reasons::jsonb, approved::jsonb, cap_holder, decided_at, waits_for, next_try_at, attempts, due_at, approved_at,
  CASE WHEN status = 'pending' THEN $1::uuid END, CASE WHEN status = 'pending' THEN $2::timestamptz END
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::text[],
  $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[], $17::text[],
  $18::timestamptz[], $19::int[], $20::timestamptz[], $21::timestamptz[]
) AS u(id, scheme, applicant, version, submitted, submitted_at, traceparent, status, facts, outcome, reasons,
  approved, cap_holder, decided_at, waits_for, next_try_at, attempts, due_at, approved_at)
"""
_WITHDRAW: Final = """
UPDATE assessments SET status = 'withdrawn', due_at = NULL, missed_at = NULL WHERE application_id = ANY($1::uuid[])
"""


async def lock(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Assessment]:
    """Lock and return the assessments that exist of these applications."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return _by_id(await fetch(connection, _LOCK, wanted))


def add(writes: Writes, new: Sequence[Assessment], lease: Lease | None = None) -> None:
    """Have applications stored that were submitted. The pending ones are for whoever has the lease, or for anybody."""
    if not new:
        return
    keyring = keyring_of(writes.connection)
    values = (
        lease and lease.token,
        lease and lease.until,
        [one.application_id for one in new],
        [one.submitted.scheme for one in new],
        [one.submitted.applicant for one in new],
        [one.policy_version for one in new],
        [to_json(carried(keyring, one.submitted)) for one in new],
        [one.submitted.submitted_at for one in new],
        [one.traceparent for one in new],
        [one.status for one in new],
        [json_or_null(one.facts) for one in new],
        [one.outcome for one in new],
        [json_or_null(one.reasons) for one in new],
        [json_or_null(one.approved) for one in new],
        [one.cap_holder for one in new],
        [one.decided_at for one in new],
        [one.waits_for for one in new],
        [one.next_try_at for one in new],
        [one.attempts for one in new],
        [one.due_at for one in new],
        [one.approved_at for one in new],
    )
    writes.run(_ADD, values)


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
        await execute(connection, _WITHDRAW, sorted(ids))


# --- leases ------------------------------------------------------------------------------------------------

_LEASE: Final = f"""
WITH due AS (
  SELECT application_id FROM assessments
  WHERE status IN ('pending', 'waiting') AND next_try_at <= now()
    AND (leased_until IS NULL OR leased_until < now())
  ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
), leased AS (
  UPDATE assessments SET leased_until = now() + make_interval(secs => $2), lease_token = $3
  FROM due WHERE assessments.application_id = due.application_id RETURNING assessments.*
)
SELECT {_COLUMNS} FROM leased ORDER BY application_id
"""  # noqa: S608
_LOCK_LEASED: Final = f"""
SELECT {_COLUMNS}, now() AS now FROM assessments
WHERE lease_token = $1 AND status IN ('pending', 'waiting') AND application_id = ANY($2::uuid[])
ORDER BY application_id FOR UPDATE
"""  # noqa: S608
_NOW: Final = "SELECT now()"
_GIVE_BACK: Final = """
UPDATE assessments SET leased_until = NULL, lease_token = NULL
WHERE lease_token = $1 AND application_id = ANY($2::uuid[])
"""
_STORE_TRIES: Final = """
UPDATE assessments AS a SET
  status = u.status, facts = u.facts::jsonb, outcome = u.outcome, reasons = u.reasons::jsonb,
  approved = u.approved::jsonb, cap_holder = u.cap_holder, decided_at = u.decided_at,
  waits_for = u.waits_for, next_try_at = u.next_try_at, attempts = u.attempts,
  due_at = u.due_at, missed_at = u.missed_at, left_seconds = u.left_seconds,
  approved_at = u.approved_at,
  leased_until = NULL, lease_token = NULL
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
  $9::text[], $10::timestamptz[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::float8[],
  $15::timestamptz[]
) AS u(id, status, facts, outcome, reasons, approved, cap_holder, decided_at, waits_for, next_try_at,
  attempts, due_at, missed_at, left_seconds, approved_at)
WHERE a.application_id = u.id
"""


async def now(connection: AsyncConnection) -> datetime:
    """Return when this transaction began, by the database's clock."""
    [row] = await fetch(connection, _NOW)
    moment: datetime = row["now"]
    return moment


async def lease_due(connection: AsyncConnection, *, token: UUID, limit: int, seconds: float) -> dict[UUID, Assessment]:
    """Take the applications that are due and that nobody holds; another process can't until the lease is over."""
    return _by_id(await fetch(connection, _LEASE, limit, seconds, token))


async def lock_leased(
    connection: AsyncConnection, *, token: UUID, ids: Iterable[UUID]
) -> tuple[datetime, dict[UUID, Assessment]]:
    """Lock those that are still ours and still open; return the transaction's time with them.

    Left out are the withdrawn, and those that another process took over after our lease.
    """
    rows = await fetch(connection, _LOCK_LEASED, token, sorted(ids))
    return rows[0]["now"] if rows else await now(connection), _by_id(rows)


async def give_back(connection: AsyncConnection, *, token: UUID, ids: Collection[UUID]) -> None:
    """End a lease without a result: they are due for anybody."""
    if ids:
        await execute(connection, _GIVE_BACK, token, sorted(ids))


async def store_tries(connection: AsyncConnection, tried: Sequence[Assessment]) -> None:
    """Store what a try came to, decided or not, and end the lease on it."""
    if not tried:
        return
    await execute(
        connection,
        _STORE_TRIES,
        [one.application_id for one in tried],
        [one.status for one in tried],
        [json_or_null(one.facts) for one in tried],
        [one.outcome for one in tried],
        [json_or_null(one.reasons) for one in tried],
        [json_or_null(one.approved) for one in tried],
        [one.cap_holder for one in tried],
        [one.decided_at for one in tried],
        [one.waits_for for one in tried],
        [one.next_try_at for one in tried],
        [one.attempts for one in tried],
        [one.due_at for one in tried],
        [one.missed_at for one in tried],
        [one.left_seconds for one in tried],
        [one.approved_at for one in tried],
    )


# --- reads -------------------------------------------------------------------------------------------------

_PAGE: Final = f"""
SELECT {_COLUMNS} FROM assessments WHERE application_id > $1::uuid OR $1::uuid IS NULL
ORDER BY application_id LIMIT $2
"""  # noqa: S608
_DECIDED: Final = f"""
SELECT {_COLUMNS} FROM assessments
WHERE status = 'decided' AND ($1::text IS NULL OR scheme = $1) AND submitted_at >= $2
  AND ($3::timestamptz IS NULL OR (submitted_at, application_id) > ($3, $4::uuid))
ORDER BY submitted_at, application_id LIMIT $5
"""  # noqa: S608
_ACCREDITED: Final = """
SELECT DISTINCT a.applicant FROM assessments AS a
JOIN policies AS p ON p.scheme = a.scheme AND p.version = a.policy_version
WHERE a.applicant = ANY($1::text[]) AND a.outcome = 'approved' AND a.status <> 'withdrawn'
  AND p.document ->> 'kind' = 'accreditation'
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM assessments WHERE application_id = $1"  # noqa: S608


async def page(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[Assessment]:
    """Return assessments in the order of their ids, from behind ``after``."""
    return [_assessment(row) for row in await fetch(connection, _PAGE, after, limit)]


async def decided(
    connection: AsyncConnection, *, scheme: str | None, since: datetime, after: Assessment | None, limit: int
) -> list[Assessment]:
    """Return decided assessments by the time of their submission, from behind ``after``."""
    behind = (after.submitted.submitted_at, after.application_id) if after else (None, None)
    return [_assessment(row) for row in await fetch(connection, _DECIDED, scheme, since, *behind, limit)]


async def accredited(connection: AsyncConnection, codes: Iterable[str]) -> set[str]:
    """Return which of these companies have an approved accreditation."""
    return {row["applicant"] for row in await fetch(connection, _ACCREDITED, sorted(set(codes)))}


async def find(connection: AsyncConnection, application_id: UUID) -> Assessment | None:
    return next(map(_assessment, await fetch(connection, _ONE, application_id)), None)


# --- rows --------------------------------------------------------------------------------------------------


def _by_id(rows: Iterable[asyncpg.Record]) -> dict[UUID, Assessment]:
    return {row["application_id"]: _assessment(row) for row in rows}


def _assessment(row: asyncpg.Record) -> Assessment:
    values = {name: row[name] for name in Assessment.__struct_fields__}
    return Assessment(
        **values
        | {
            "submitted": msgspec.convert(row["submitted"], ApplicationSubmitted),
            "facts": typed(row["facts"], dict[str, dict[str, Any]]),
            "reasons": typed(row["reasons"], tuple[Reason, ...]),
            "approved": typed(row["approved"], Money),
        }
    )
