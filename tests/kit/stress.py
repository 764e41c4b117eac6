"""A stress that tells a right outbox reader from a wrong one: many writers, open transactions, aborted ones.

Each writer locks the key that it writes about before it draws ids, as a service locks its aggregate; so the order of
ids is the order of commits for each key. Half of the writers own a transaction id long before that lock.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from sqlalchemy import text

from kit import outbox
from kit.database import Database
from kit.outbox import Announcements
from tests.kit.conftest import company, event

WRITERS = 16
TRANSACTIONS = 40
KEYS = 8
ABORTED = 0.15
Row = tuple[int, str]
"""(id, key)"""


class _AbortedError(Exception):
    pass


async def write_all(database: Database, seed: int = 1) -> None:
    """Run all writers to their end."""
    random = Random(seed)
    keys = [company(random) for _ in range(KEYS)]
    await asyncio.gather(*[_writer(database, Random(f"{seed}/{number}"), keys) for number in range(WRITERS)])


async def _writer(database: Database, random: Random, keys: Sequence[str]) -> None:
    for _ in range(TRANSACTIONS):
        try:
            await _transaction(database, random, random.choice(keys))
        except _AbortedError:
            continue


async def _transaction(database: Database, random: Random, key: str) -> None:
    said = Announcements()
    for _ in range(random.randint(1, 4)):
        said.say(event(key))
    async with database.transaction() as connection:
        if random.random() < 0.5:
            await connection.execute(text("SELECT pg_current_xact_id()"))
            await asyncio.sleep(random.random() * 0.01)
        await connection.execute(text("SELECT pg_advisory_xact_lock(CAST(:key AS bigint))"), {"key": int(key[:18])})
        await outbox.add(connection, said)
        await asyncio.sleep(0.15 if random.random() < 0.03 else random.random() * 0.01)
        if random.random() < ABORTED:
            raise _AbortedError


async def committed(database: Database) -> list[Row]:
    """What a right reader publishes, in the order of ids."""
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT id, key FROM outbox ORDER BY id"))
        return [(row.id, row.key) for row in rows]


def lost(seen: Iterable[Row], truth: Iterable[Row]) -> int:
    return len(set(truth) - set(seen))


def doubled(seen: Iterable[Row]) -> int:
    return sum(count - 1 for count in Counter(seen).values())


def inverted(seen: Iterable[Row]) -> int:
    """How often an event of a key was seen after a later one of the same key; what is seen again does not count."""
    by_key: dict[str, list[int]] = {}
    for number, key in dict.fromkeys(seen):
        by_key.setdefault(key, []).append(number)
    return sum(later < earlier for ids in by_key.values() for earlier, later in pairwise(ids))


class WrongReader:
    """A recipe that is often seen, and wrong: a control, which must fail where the relay does not."""

    def __init__(self, query: str, *, starts: dict[str, int]) -> None:
        self.seen: list[Row] = []
        self._query = text(query)
        self._cursor: dict[str, Any] = starts

    async def run(self, database: Database, stop: asyncio.Event) -> None:
        """Poll until ``stop``, and once more."""
        last = False
        while not last:
            last = stop.is_set()
            async with database.reading() as connection:
                rows = (await connection.execute(self._query, self._cursor)).mappings().all()
            self.seen += [(row["id"], row["key"]) for row in rows]
            if rows:
                self._cursor = {name: rows[-1][name] for name in self._cursor}
            await asyncio.sleep(0.002)


def polling_ids() -> WrongReader:
    """``id > cursor``: ids are drawn before commits, so a lower id may become visible later, and is passed over."""
    return WrongReader("SELECT id, key FROM outbox WHERE id > :id ORDER BY id", starts={"id": 0})


def ordering_by_transaction() -> WrongReader:
    """``(xid, id)`` below the oldest running transaction: loses nothing, but a transaction's number says when it
    began to write anything, not when it wrote about this key.
    """
    query = """
        SELECT id, key, xid FROM (SELECT id, key, CAST(CAST(xmin AS text) AS bigint) AS xid FROM outbox) AS o
        WHERE (xid, id) > (:xid, :id)
          AND xid < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
        ORDER BY xid, id
    """
    return WrongReader(query, starts={"xid": 0, "id": 0})
