"""The sequence fence: up to which id of a sequence every row is there, or will never be.

Ids are drawn before commits, so a row with a lower id may appear after one with a higher id. Read the sequence's last
value L, take an own transaction id X, and wait until no transaction at or below X is running. Whoever drew an id up to
L owned a transaction id below X, if it took that first; so by then it has committed or is gone for good.

PostgreSQL numbers the transactions of all its databases together, but nobody draws our ids from another database. So a
transaction that is known to run in another one is not waited for. Known means that its lock on its own id was seen with
its connection: what can't be told (it has its id and not yet its lock, or was prepared) is waited for.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.driver import fetch

PASSED: Final = """
(SELECT pg_snapshot_xmin(pg_current_snapshot()) > {own} OR NOT EXISTS (
  SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS running(xid)
  WHERE running.xid <= {own} AND CAST(running.xid AS xid) NOT IN (
    SELECT l.transactionid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
      AND a.datid <> (SELECT oid FROM pg_database WHERE datname = current_database()))))
"""
"""The condition that a fence has passed as seen by the statement that has it; ``own`` is SQL for the fence's id.

A statement with this condition sees the rows of all transactions that the fence is about, or it sees none.
The cheap question says so most often; the other one is asked only where it does not.
"""
_PASSED: Final = "SELECT " + PASSED.format(own="CAST($1::text AS xid8)")
_LAST: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
_DRAWN: Final = """
WITH drawn AS MATERIALIZED (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM {sequence})
SELECT last, CASE WHEN last > $1 THEN CAST(pg_current_xact_id() AS text) END FROM drawn
"""


class Fence(msgspec.Struct, frozen=True):
    """Whoever drew an id up to ``last`` has ended once ``own``, the id of a later transaction, has passed."""

    last: int
    own: str | None


async def last_id(connection: AsyncConnection, sequence: str) -> int:
    """Return the last id that was drawn of a sequence (one of our own names), 0 before the first."""
    [[last]] = await fetch(connection, _LAST.format(sequence=sequence))
    return int(last)


async def draw(connection: AsyncConnection, sequence: str, above: int) -> Fence:
    """Return the fence at the last id that was drawn of a sequence (one of our own names).

    It has a new transaction's id, taken after the sequence was read, where that last id lies ``above``. ``connection``
    must commit each statement, or its own fence would never pass.
    """
    [found] = await fetch(connection, _DRAWN.format(sequence=sequence), above)
    return Fence(*found)


async def passed(connection: AsyncConnection, own: str) -> bool:
    """Return whether every transaction of this database up to this id has ended."""
    [[ended]] = await fetch(connection, _PASSED, own)
    return bool(ended)


class Horizon:
    """How far a sequence's rows are complete: what lies at or below ``at`` may be read in the order of ids.

    It asks and never waits: call ``look`` again until it has moved.
    """

    def __init__(self, sequence: str) -> None:
        self.at = 0
        self.last = 0
        """The last id that was seen drawn."""
        self._sequence = sequence
        self._pending: Fence | None = None

    @property
    def waits(self) -> bool:
        """Whether there are ids above ``at`` whose transactions had not all ended at the last look."""
        return self._pending is not None

    async def look(self, connection: AsyncConnection) -> int:
        """Move ``at`` if it can be moved; return it. It goes back only where the database was set back in time."""
        pending = self._pending
        if pending is None:
            pending = await draw(connection, self._sequence, self.at)
            self.last = pending.last
        if pending.own is None:
            self.at = pending.last
        elif await passed(connection, pending.own):
            self.at, pending = pending.last, None
        self._pending = pending if pending and pending.own else None
        return self.at
