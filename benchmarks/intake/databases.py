"""The databases: intake's own, migrated by its migrations, with the policy; copies of it for the peers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import asyncpg

from benchmarks.intake import past, traffic
from benchmarks.ledger.databases import copy, create, settle
from benchmarks.ledger.scene import published
from benchmarks.peers.synchronous.acceptance import COUNTERS
from contracts.events import PolicyPublished
from contracts.policy import Policy
from contracts.topics import TOPIC_OF, event_type
from intake.handlers import handle
from kit import migrations
from kit.database import Database
from kit.identifiers import uuid7
from kit.messages import Message
from kit.sealing import Keyring
from stack.postgres import Postgres

BASE: Final = "bench_intake_base"
OURS: Final = "bench_intake"
SHORT: Final = "bench_intake_short"
LONG: Final = "bench_intake_long"
FLOOR: Final = "bench_intake_floor"
PEERS: Final = {"synchronous": "bench_orm", "tuned": "bench_tuned", "unlocked": "bench_unlocked"}


async def create_all(postgres: Postgres, keyring: Keyring) -> None:
    """Create all of them but those with a past."""
    await create_base(postgres, BASE, keyring)
    await copy(postgres, BASE, OURS)
    await copy(postgres, BASE, FLOOR)
    for name in PEERS.values():
        await copy(postgres, BASE, name)
        await add_counters(postgres.superuser_dsn(name))
    await settle(postgres, (OURS, *PEERS.values()))


async def create_base(postgres: Postgres, name: str, keyring: Keyring) -> None:
    """Create a database of intake that knows the policy."""
    await create(postgres, name)
    dsn = postgres.superuser_dsn(name)
    await migrations.upgrade("intake", dsn)
    database = Database(dsn, pool_size=2, keyring=keyring)
    try:
        await database.roll_partitions()
        async with database.transaction() as connection:
            said = await handle(connection, [_told(policy) for policy in traffic.policies()], datetime.now(UTC))
            await said.make_writes()
    finally:
        await database.close()


def _told(policy: Policy) -> Message:
    event = published(policy, datetime.now(UTC))
    topic = TOPIC_OF[PolicyPublished].name
    return Message(uuid7(), event_type(PolicyPublished), datetime.now(UTC), event.scheme, topic, 0, 0, None, event)


async def create_pasts(postgres: Postgres, keyring: Keyring, short: int, long: int) -> dict[str, int]:
    """Create the database with a short and the one with a long past; return how many applications each has."""
    await copy(postgres, BASE, SHORT)
    database = Database(postgres.superuser_dsn(SHORT), pool_size=2, keyring=keyring)
    try:
        await past.take_in(database, short)
    finally:
        await database.close()
    await copy(postgres, SHORT, LONG)
    found = {
        SHORT: await past.multiply(postgres.superuser_dsn(SHORT), 0),
        LONG: await past.multiply(postgres.superuser_dsn(LONG), long),
    }
    await settle(postgres, (SHORT, LONG))
    return found


async def add_counters(dsn: str) -> None:
    """Add the counters of numbers, which the peers lock."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(COUNTERS)
        years: Iterable[int] = range(datetime.now(UTC).year - 1, datetime.now(UTC).year + 2)
        rows = [(traffic.SCHEME, year, 0) for year in years]
        await connection.executemany("INSERT INTO counters (scheme, year, last) VALUES ($1, $2, $3)", rows)
    finally:
        await connection.close()
