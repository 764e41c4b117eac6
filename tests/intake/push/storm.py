"""A storm of writers: open transactions, aborted ones, ids that are drawn early and committed late.

Each writer locks what it writes of first, as a desk locks its applications; so ids of one application rise with its
commits.
"""

import asyncio
from random import Random
from uuid import UUID

from sqlalchemy import text

from intake.push.records import NewPush
from intake.push.tables import pushes
from kit.database import Database
from kit.rows import insert_records

WRITERS = 12
TRANSACTIONS = 25
APPLICATIONS = [UUID(int=number + 1) for number in range(8)]
CLIENT = "portal"


class _AbortedError(Exception):
    pass


async def write_all(database: Database, client: str, seed: int = 1) -> None:
    """Run all writers to their end."""
    await asyncio.gather(*[_writer(database, client, Random(f"{seed}/{number}")) for number in range(WRITERS)])


async def _writer(database: Database, client: str, random: Random) -> None:
    for _ in range(TRANSACTIONS):
        try:
            await _transaction(database, client, random)
        except _AbortedError:
            continue


async def _transaction(database: Database, client: str, random: Random) -> None:
    application_id = random.choice(APPLICATIONS)
    push = NewPush(client=client, application_id=application_id, applicant="A", type="storm.blew", data=b"{}")
    async with database.transaction() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": application_id.int})
        await insert_records(connection, pushes, [push] * random.randint(1, 4))
        await asyncio.sleep(0.15 if random.random() < 0.05 else random.random() * 0.01)
        if random.random() < 0.15:
            raise _AbortedError


async def committed(database: Database, client: str) -> list[int]:
    """Return what a right reader is told, in its order."""
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT id FROM pushes WHERE client = :c ORDER BY id"), {"c": client})
        return list(rows.scalars())
