"""The claims and the invoices that count in them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Reason
from contracts.events import ClaimSubmitted
from contracts.money import Money
from eligibility.claim_rules import InvoiceKey
from eligibility.records import Claim
from eligibility.store.columns import json_or_null, typed
from kit.database import to_json
from kit.driver import execute, fetch
from kit.errors import TransientError

_RESERVE_TRIES: Final = 10  # each try more means that somebody released one of these invoices in between

_LOAD: Final = """
SELECT claim_id, submitted, status, eligible, reasons, decided_at FROM claims
WHERE claim_id = ANY($1::uuid[]) ORDER BY claim_id FOR UPDATE
"""
_SAVE: Final = """
INSERT INTO claims (claim_id, application_id, submitted, status, eligible, reasons, decided_at)
SELECT id, application_id, submitted::jsonb, status, eligible::jsonb, reasons::jsonb, at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
  AS u(id, application_id, submitted, status, eligible, reasons, at)
ON CONFLICT (claim_id) DO UPDATE SET status = excluded.status
"""
_RESERVE: Final = """
INSERT INTO counted_invoices (seller, number, claim_id)
SELECT seller, number, claim_id FROM unnest($1::text[], $2::text[], $3::uuid[]) AS u(seller, number, claim_id)
ORDER BY seller, number
ON CONFLICT (seller, number) DO NOTHING RETURNING seller, number
"""
_LOCK_INVOICES: Final = """
SELECT seller, number, claim_id FROM counted_invoices
WHERE (seller, number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY seller, number FOR UPDATE
"""
_HOLD_INVOICES: Final = """
UPDATE counted_invoices AS i SET claim_id = u.claim_id
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS u(seller, number, claim_id)
WHERE i.seller = u.seller AND i.number = u.number AND i.claim_id <> u.claim_id
"""
_FREE_INVOICES: Final = """
DELETE FROM counted_invoices WHERE (seller, number) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""

_FREE: Final = "DELETE FROM counted_invoices WHERE claim_id = ANY($1::uuid[])"
_FIND: Final = "SELECT claim_id, submitted, status, eligible, reasons, decided_at FROM claims WHERE claim_id = $1"
_LOCK: Final = f"{_FIND} FOR UPDATE"
_SETTLE: Final = """
UPDATE claims SET status = $2, eligible = $3::text::jsonb, reasons = $4::text::jsonb, decided_at = $5
WHERE claim_id = $1
"""


async def load(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Claim]:
    """Lock and return the claims that exist: a person may be deciding on one that waits."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {row["claim_id"]: _claim(row) for row in await fetch(connection, _LOAD, wanted)}


def _claim(row: asyncpg.Record) -> Claim:
    return Claim(
        claim_id=row["claim_id"],
        submitted=msgspec.convert(row["submitted"], ClaimSubmitted),
        status=row["status"],
        eligible=typed(row["eligible"], Money),
        reasons=msgspec.convert(row["reasons"], tuple[Reason, ...]),
        decided_at=row["decided_at"],
    )


async def save(connection: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Store new claims, and the status of those that changed."""
    if not claims:
        return
    await execute(
        connection,
        _SAVE,
        [claim.claim_id for claim in claims],
        [claim.submitted.application_id for claim in claims],
        [to_json(claim.submitted) for claim in claims],
        [claim.status for claim in claims],
        [json_or_null(claim.eligible) for claim in claims],
        [to_json(claim.reasons) for claim in claims],
        [claim.decided_at for claim in claims],
    )


async def reserve_invoices(
    connection: AsyncConnection, wanted: Mapping[InvoiceKey, UUID]
) -> dict[InvoiceKey, UUID | None]:
    """Lock these invoices, whether they have counted or not; return the claim each counts in, None while free.

    A free one is inserted for the claim given, so that a transaction on another partition waits for this one to end.
    ``hold_invoices`` settles which claim it counts in after all.
    """
    holders: dict[InvoiceKey, UUID | None] = {}
    missing = dict(wanted)
    for _ in range(_RESERVE_TRIES):
        if not missing:
            return holders
        free = await fetch(connection, _RESERVE, *_columns(missing), list(missing.values()))
        holders |= {(row["seller"], row["number"]): None for row in free}
        if others := missing.keys() - holders.keys():
            counted = await fetch(connection, _LOCK_INVOICES, *_columns(others))
            holders |= {(row["seller"], row["number"]): row["claim_id"] for row in counted}
        missing = {key: claim for key, claim in missing.items() if key not in holders}
    raise TransientError("invoices of this batch are released and counted again all the time")


async def hold_invoices(
    connection: AsyncConnection, holders: Mapping[InvoiceKey, UUID | None], reserved: Mapping[InvoiceKey, UUID]
) -> None:
    """Store which claim each reserved invoice counts in; those that count in none are free for others again.

    ``reserved`` is the claim that stands in each one's row: mostly the one that it counts in.
    """
    changed = {key: claim for key, claim in holders.items() if claim not in (None, reserved[key])}
    if changed:
        await execute(connection, _HOLD_INVOICES, *_columns(changed), list(changed.values()))
    free = [key for key, claim in holders.items() if claim is None]
    if free:
        await execute(connection, _FREE_INVOICES, *_columns(free))


async def free(connection: AsyncConnection, claims: Collection[UUID]) -> None:
    """Free what counted in these claims."""
    if claims:
        await execute(connection, _FREE, sorted(claims))


async def find(connection: AsyncConnection, claim_id: UUID) -> Claim | None:
    return next(map(_claim, await fetch(connection, _FIND, claim_id)), None)


async def lock(connection: AsyncConnection, claim_id: UUID) -> Claim | None:
    """Lock and return a claim."""
    return next(map(_claim, await fetch(connection, _LOCK, claim_id)), None)


async def settle(connection: AsyncConnection, claim: Claim) -> None:
    """Store what became of a locked claim that waited for persons."""
    eligible, reasons = json_or_null(claim.eligible), to_json(claim.reasons)
    await execute(connection, _SETTLE, claim.claim_id, claim.status, eligible, reasons, claim.decided_at)


def _columns(keys: Collection[InvoiceKey]) -> tuple[list[str], list[str]]:
    return [seller for seller, _ in keys], [number for _, number in keys]
