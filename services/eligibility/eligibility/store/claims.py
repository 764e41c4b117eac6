"""The claims and the invoices that count in them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Reason
from contracts.events import ClaimSubmitted
from contracts.money import Money
from eligibility.claim_rules import InvoiceKey
from eligibility.records import Claim
from eligibility.store.columns import json_or_null, typed
from kit.database import to_json
from kit.errors import TransientError

_RESERVE_TRIES: Final = 10  # each try more means that somebody released one of these invoices in between

_LOAD: Final = text(
    """
    SELECT claim_id, submitted, status, eligible, reasons, decided_at FROM claims
    WHERE claim_id = ANY(CAST(:ids AS uuid[])) ORDER BY claim_id FOR UPDATE
    """
)
_SAVE: Final = text(
    """
    INSERT INTO claims (claim_id, application_id, submitted, status, eligible, reasons, decided_at)
    SELECT id, application_id, CAST(submitted AS jsonb), status, CAST(eligible AS jsonb), CAST(reasons AS jsonb), at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:applications AS uuid[]), CAST(:submitted AS text[]),
      CAST(:statuses AS text[]), CAST(:eligible AS text[]), CAST(:reasons AS text[]),
      CAST(:decided_at AS timestamptz[])) AS u(id, application_id, submitted, status, eligible, reasons, at)
    ON CONFLICT (claim_id) DO UPDATE SET status = excluded.status
    """
)
_RESERVE: Final = text(
    """
    INSERT INTO counted_invoices (seller, number, claim_id)
    SELECT seller, number, claim_id FROM unnest(CAST(:sellers AS text[]), CAST(:numbers AS text[]),
      CAST(:claims AS uuid[])) AS u(seller, number, claim_id)
    ORDER BY seller, number
    ON CONFLICT (seller, number) DO NOTHING RETURNING seller, number
    """
)
_LOCK_INVOICES: Final = text(
    """
    SELECT seller, number, claim_id FROM counted_invoices
    WHERE (seller, number) IN (SELECT * FROM unnest(CAST(:sellers AS text[]), CAST(:numbers AS text[])))
    ORDER BY seller, number FOR UPDATE
    """
)
_HOLD_INVOICES: Final = text(
    """
    UPDATE counted_invoices AS i SET claim_id = u.claim_id
    FROM unnest(CAST(:sellers AS text[]), CAST(:numbers AS text[]), CAST(:claims AS uuid[]))
      AS u(seller, number, claim_id)
    WHERE i.seller = u.seller AND i.number = u.number AND i.claim_id <> u.claim_id
    """
)
_FREE_INVOICES: Final = text(
    """
    DELETE FROM counted_invoices
    WHERE (seller, number) IN (SELECT * FROM unnest(CAST(:sellers AS text[]), CAST(:numbers AS text[])))
    """
)

_FREE: Final = text("DELETE FROM counted_invoices WHERE claim_id = ANY(CAST(:ids AS uuid[]))")
_FIND: Final = text(
    "SELECT claim_id, submitted, status, eligible, reasons, decided_at FROM claims WHERE claim_id = :id"
)
_LOCK: Final = text(
    """
    SELECT claim_id, submitted, status, eligible, reasons, decided_at FROM claims WHERE claim_id = :id FOR UPDATE
    """
)
_SETTLE: Final = text(
    """
    UPDATE claims SET status = :status, eligible = CAST(:eligible AS jsonb), reasons = CAST(:reasons AS jsonb),
      decided_at = :at WHERE claim_id = :id
    """
)


async def load(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Claim]:
    """Lock and return the claims that exist: a person may be deciding on one that waits."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = await connection.execute(_LOAD, {"ids": wanted})
    return {row.claim_id: _claim(row) for row in rows}


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        claim_id=row.claim_id,
        submitted=msgspec.convert(row.submitted, ClaimSubmitted),
        status=row.status,
        eligible=typed(row.eligible, Money),
        reasons=msgspec.convert(row.reasons, tuple[Reason, ...]),
        decided_at=row.decided_at,
    )


async def save(connection: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Store new claims, and the status of those that changed."""
    if not claims:
        return
    values = {
        "ids": [claim.claim_id for claim in claims],
        "applications": [claim.submitted.application_id for claim in claims],
        "submitted": [to_json(claim.submitted) for claim in claims],
        "statuses": [claim.status for claim in claims],
        "eligible": [json_or_null(claim.eligible) for claim in claims],
        "reasons": [to_json(claim.reasons) for claim in claims],
        "decided_at": [claim.decided_at for claim in claims],
    }
    await connection.execute(_SAVE, values)


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
        values = _keys(missing)
        free = await connection.execute(_RESERVE, values | {"claims": list(missing.values())})
        holders |= {(row.seller, row.number): None for row in free}
        counted = await connection.execute(_LOCK_INVOICES, _keys(set(missing) - holders.keys()))
        holders |= {(row.seller, row.number): row.claim_id for row in counted}
        missing = {key: claim for key, claim in missing.items() if key not in holders}
    raise TransientError("invoices of this batch are released and counted again all the time")


async def hold_invoices(connection: AsyncConnection, holders: Mapping[InvoiceKey, UUID | None]) -> None:
    """Store which claim each reserved invoice counts in; those that count in none are free for others again."""
    held = {key: claim for key, claim in holders.items() if claim is not None}
    if held:
        await connection.execute(_HOLD_INVOICES, _keys(held) | {"claims": list(held.values())})
    if len(held) < len(holders):
        await connection.execute(_FREE_INVOICES, _keys(holders.keys() - held.keys()))


async def free(connection: AsyncConnection, claims: Collection[UUID]) -> None:
    """Free what counted in these claims."""
    if claims:
        await connection.execute(_FREE, {"ids": sorted(claims)})


async def find(connection: AsyncConnection, claim_id: UUID) -> Claim | None:
    row = (await connection.execute(_FIND, {"id": claim_id})).first()
    return None if row is None else _claim(row)


async def lock(connection: AsyncConnection, claim_id: UUID) -> Claim | None:
    """Lock and return a claim."""
    row = (await connection.execute(_LOCK, {"id": claim_id})).first()
    return None if row is None else _claim(row)


async def settle(connection: AsyncConnection, claim: Claim) -> None:
    """Store what became of a locked claim that waited for persons."""
    values = {
        "id": claim.claim_id,
        "status": claim.status,
        "eligible": json_or_null(claim.eligible),
        "reasons": to_json(claim.reasons),
        "at": claim.decided_at,
    }
    await connection.execute(_SETTLE, values)


def _keys(keys: Iterable[InvoiceKey]) -> dict[str, list[Any]]:
    keys = list(keys)
    return {"sellers": [seller for seller, _ in keys], "numbers": [number for _, number in keys]}
