"""The signed contracts: each counts once in a scheme, for the application that was approved on it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Contract
from kit.driver import execute, fetch

_TAKE: Final = """
INSERT INTO contracts (scheme, provider, number, application_id)
SELECT scheme, provider, number, id FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
  AS u(scheme, provider, number, id)
ORDER BY scheme, provider, number
ON CONFLICT (scheme, provider, number) DO NOTHING RETURNING scheme, provider, number, application_id
"""
_HOLDERS: Final = """
SELECT scheme, provider, number, application_id FROM contracts
WHERE (scheme, provider, number) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
"""
_RELEASE: Final = "DELETE FROM contracts WHERE application_id = ANY($1::uuid[])"

Key = tuple[str, str, str]


def key_of(scheme: str, contract: Contract) -> Key:
    return scheme, contract.provider, contract.number


async def take(connection: AsyncConnection, wanted: Mapping[Key, UUID]) -> dict[Key, UUID]:
    """Take each contract for its application, unless another one holds it; return who holds each now.

    A contract that is missing in the answer was released in between: its application has to be tried again.
    """
    if not wanted:
        return {}
    holders = _holders(await fetch(connection, _TAKE, *_columns(wanted), list(wanted.values())))
    others = wanted.keys() - holders.keys()
    if others:
        holders |= _holders(await fetch(connection, _HOLDERS, *_columns(others)))
    return holders


def _columns(keys: Collection[Key]) -> tuple[list[str], list[str], list[str]]:
    return [scheme for scheme, _, _ in keys], [provider for _, provider, _ in keys], [number for _, _, number in keys]


def _holders(rows: Iterable[asyncpg.Record]) -> dict[Key, UUID]:
    return {(row["scheme"], row["provider"], row["number"]): row["application_id"] for row in rows}


async def release(connection: AsyncConnection, ids: Collection[UUID]) -> None:
    """Free the contracts of these applications, whose assessments are locked."""
    if ids:
        await execute(connection, _RELEASE, sorted(ids))
