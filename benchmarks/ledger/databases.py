"""The databases: disbursement's, migrated and opened as the service does it, with a past; and the peer's."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg

from benchmarks.ledger import scene, traffic
from benchmarks.ledger.ours import KEYRING, Ours
from benchmarks.ledger.past import multiply
from benchmarks.peers import row_lock
from contracts.money import Money
from contracts.policy import Policy
from disbursement import programme
from kit import migrations
from kit.database import Database
from stack.postgres import Postgres

BASE: Final = "bench_base"
OURS: Final = "bench_ours"
GROWN: Final = "bench_grown"
FLOORS: Final = {"unnest": "bench_floor_unnest", "copy": "bench_floor_copy"}
THEIRS: Final = "bench_theirs"

_TRANSFERS_OF_A_LIFE: Final = 3


async def create_base(postgres: Postgres, transfers: int) -> None:
    """Create the database that the others are copies of, with about so many transfers, posted by the service's code."""
    await create_ours(postgres, BASE, scene.policies(), scene.APPROPRIATED)
    ours = await Ours.open(postgres.superuser_dsn(BASE))
    try:
        await ours.lives(transfers // _TRANSFERS_OF_A_LIFE, scene.POOLS)
    finally:
        await ours.close()


async def create_ours(postgres: Postgres, name: str, policies: Sequence[Policy], appropriated: Money) -> None:
    """Create a database of disbursement: migrated, the policies' pools open, the policies known."""
    await create(postgres, name)
    dsn = postgres.superuser_dsn(name)
    await migrations.upgrade("disbursement", dsn)
    database = Database(dsn, pool_size=1, keyring=KEYRING)
    try:
        await programme.open_pools(database, scene.programme(policies, appropriated))
    finally:
        await database.close()
    ours = await Ours.open(dsn)
    try:
        await ours.handle([traffic.tell(scene.published(policy, datetime.now(UTC))) for policy in policies])
    finally:
        await ours.close()


async def create_theirs(postgres: Postgres, name: str, policies: Sequence[Policy], appropriated: Money) -> None:
    """Create a database of the peer: its tables, the policies' pools and envelopes."""
    await create(postgres, name)
    connection = await asyncpg.connect(postgres.superuser_dsn(name))
    try:
        await row_lock.create(connection, policies, appropriated)
    finally:
        await connection.close()


async def copy(postgres: Postgres, source: str, target: str) -> None:
    """Copy a database, file by file. Nobody may be connected to the source."""
    await create(postgres, target, f"TEMPLATE {source} STRATEGY file_copy")


async def grow(postgres: Postgres, name: str, transfers: int) -> int:
    """Bring a database's past to about so many transfers by copies of what it has; return how many there are."""
    connection = await asyncpg.connect(postgres.superuser_dsn(name))
    try:
        there = await connection.fetchval("SELECT count(*) FROM transfers")
        await multiply(connection, max(0, round(transfers / there) - 1))
        return int(await connection.fetchval("SELECT count(*) FROM transfers"))
    finally:
        await connection.close()


async def settle(postgres: Postgres, names: Iterable[str]) -> None:
    """Give the planner its statistics and write out what is dirty, so that the sides start alike."""
    for name in names:
        connection = await asyncpg.connect(postgres.superuser_dsn(name))
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


async def create(postgres: Postgres, name: str, how: str = "") -> None:
    """Create a database; ``how`` is the rest of the statement."""
    connection = await asyncpg.connect(postgres.superuser_dsn())
    try:
        await connection.execute(f"CREATE DATABASE {name} {how}")
    finally:
        await connection.close()
