"""Whether the ledger is in order, whatever filled it: each pool's chain from its first transfer on, and every sum."""

from typing import Any, Final

import asyncpg
import msgspec

from contracts.chain import GENESIS, transfer_hash
from disbursement.reconciliation import queries
from kit.database import Database

_STATEMENT_SECONDS: Final = 3_600.0
_TRANSFERS: Final = "SELECT pool, version, hash, document FROM transfers ORDER BY pool, version"
_POOLS: Final = "SELECT pool, version, hash FROM pools"


async def differences(dsn: str) -> list[str]:
    """Return in words what does not hold: hashes, versions, ends of chains; awards, caps, envelopes, payments."""
    database = Database(dsn, pool_size=1, statement_timeout_seconds=_STATEMENT_SECONDS, name="audit")
    try:
        async with database.snapshot() as connection:
            found = [f"{check}: {each}" for check in queries.SUMS for each in await queries.unequal(connection, check)]
    finally:
        await database.close()
    return [*found, *await _chains(dsn)]


async def _chains(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        found, ends = [], dict[str, tuple[int, str]]()
        async with connection.transaction():
            async for row in connection.cursor(_TRANSFERS, prefetch=5_000):
                version, before = ends.get(row["pool"], (0, GENESIS))
                if wrong := _wrong(row, version + 1, before):
                    found.append(f"{row['pool']} {row['version']}: {wrong}")
                ends[row["pool"]] = row["version"], row["hash"]
        pools = {row["pool"]: (row["version"], row["hash"]) for row in await connection.fetch(_POOLS)}
        found += [f"{pool} does not stand where its chain ends" for pool, at in pools.items() if ends.get(pool) != at]
    finally:
        await connection.close()
    return found


def _wrong(row: Any, version: int, before: str) -> str:
    told = msgspec.json.decode(row["document"])
    if (told["version"], told["previous_hash"]) != (version, before) or row["version"] != version:
        return "it does not follow the one before"
    return "" if transfer_hash(told) == told["hash"] == row["hash"] else "its content does not have its hash"
