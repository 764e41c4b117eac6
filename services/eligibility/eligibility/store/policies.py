"""The published policy versions. Rows are only ever added."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy
from eligibility.shelf import Shelf, VersionKey
from kit.database import to_json

_ADD: Final = text(
    """
    INSERT INTO policies (scheme, version, content_hash, document)
    VALUES (:scheme, :version, :content_hash, CAST(:document AS jsonb))
    ON CONFLICT (scheme, version) DO NOTHING RETURNING version
    """
)
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:scheme, 0))")
_HASH: Final = text("SELECT content_hash FROM policies WHERE scheme = :scheme AND version = :version")
_LOAD: Final = text("SELECT document FROM policies WHERE scheme = ANY(CAST(:schemes AS text[]))")
_READ: Final = text(
    """
    SELECT scheme, version, content_hash, published_at, document FROM policies
    WHERE scheme = CAST(:scheme AS text) OR CAST(:scheme AS text) IS NULL
    ORDER BY scheme, document ->> 'effective_from', version
    """
)


async def add(connection: AsyncConnection, policy: Policy, content_hash: str) -> str | None:
    """Record a version. Return None when it is new, else the hash that it was recorded with."""
    key = {"scheme": policy.scheme, "version": policy.version}
    values = key | {"content_hash": content_hash, "document": to_json(policy)}
    if (await connection.execute(_ADD, values)).first() is not None:
        return None
    found: str = (await connection.execute(_HASH, key)).scalar_one()
    return found


async def lock(connection: AsyncConnection, scheme: str) -> None:
    """Let nobody else publish a version of the scheme until this transaction ends."""
    await connection.execute(_LOCK, {"scheme": f"policies {scheme}"})


async def stock(connection: AsyncConnection, shelf: Shelf, versions: Iterable[VersionKey]) -> None:
    """Bring these versions onto the shelf, where they are recorded."""
    schemes = shelf.lacking(versions)
    if schemes:
        rows = await connection.execute(_LOAD, {"schemes": schemes})
        shelf.put(msgspec.convert(document, Policy) for document in rows.scalars())


async def read(connection: AsyncConnection, scheme: str | None = None) -> list[dict[str, Any]]:
    """Return all recorded versions (of one scheme), in the order of their effect."""
    rows = await connection.execute(_READ, {"scheme": scheme})
    return [
        {
            "scheme": row.scheme,
            "version": row.version,
            "content_hash": row.content_hash,
            "published_at": row.published_at,
            "document": row.document,
        }
        for row in rows
    ]
