"""The signed contracts: each counts once in a scheme, for the application that was approved on it."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Contract

_TAKE: Final = text(
    """
    INSERT INTO contracts (scheme, provider, number, application_id)
    SELECT scheme, provider, number, id FROM unnest(CAST(:schemes AS text[]), CAST(:providers AS text[]),
      CAST(:numbers AS text[]), CAST(:ids AS uuid[])) AS u(scheme, provider, number, id)
    ORDER BY scheme, provider, number
    ON CONFLICT (scheme, provider, number) DO NOTHING
    """
)
_HOLDERS: Final = text(
    """
    SELECT scheme, provider, number, application_id FROM contracts
    WHERE (scheme, provider, number) IN (
      SELECT * FROM unnest(CAST(:schemes AS text[]), CAST(:providers AS text[]), CAST(:numbers AS text[])))
    """
)
_RELEASE: Final = text("DELETE FROM contracts WHERE application_id = ANY(CAST(:ids AS uuid[]))")

Key = tuple[str, str, str]


def key_of(scheme: str, contract: Contract) -> Key:
    return scheme, contract.provider, contract.number


async def take(connection: AsyncConnection, wanted: Mapping[Key, UUID]) -> dict[Key, UUID]:
    """Take each contract for its application, unless another one holds it; return who holds each now.

    A contract that is missing in the answer was released in between: its application has to be tried again.
    """
    if not wanted:
        return {}
    keys: dict[str, list[Any]] = {
        "schemes": [scheme for scheme, _, _ in wanted],
        "providers": [provider for _, provider, _ in wanted],
        "numbers": [number for _, _, number in wanted],
    }
    await connection.execute(_TAKE, keys | {"ids": list(wanted.values())})
    rows = await connection.execute(_HOLDERS, keys)
    return {(row.scheme, row.provider, row.number): row.application_id for row in rows}


async def release(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    """Free the contracts of these applications, whose assessments are locked."""
    if ids:
        await connection.execute(_RELEASE, {"ids": sorted(ids)})
