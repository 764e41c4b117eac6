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
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OWN: Final = text("SELECT pg_current_xact_id()")
_PASSED: Final = text("SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(:own AS xid8)")
_PASSED_HERE: Final = text(
    """
    WITH running AS MATERIALIZED (
      SELECT xid FROM pg_snapshot_xip(pg_current_snapshot()) AS xid WHERE xid <= CAST(:own AS xid8)
    ), elsewhere AS MATERIALIZED (
      SELECT l.transactionid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
        AND a.datid <> (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT NOT EXISTS (SELECT FROM running WHERE CAST(xid AS xid) NOT IN (SELECT transactionid FROM elsewhere))
    """
)


async def last_id(connection: AsyncConnection, sequence: str) -> int:
    """Return the last id that was drawn of a sequence (one of our own names), 0 before the first."""
    query = text(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608  # one of our own names
    row = (await connection.execute(query)).one()
    return int(row.last_value) if row.is_called else 0


async def own_id(connection: AsyncConnection) -> str:
    """Return a new transaction id. ``connection`` must commit each statement, or its own fence would never pass."""
    own: str = (await connection.execute(_OWN)).scalar_one()
    return own


async def passed(connection: AsyncConnection, own: str) -> bool:
    """Return whether every transaction of this database up to this id has ended."""
    ended: bool = (await connection.execute(_PASSED, {"own": own})).scalar_one()
    if not ended:  # the cheap question says so most often
        ended = (await connection.execute(_PASSED_HERE, {"own": own})).scalar_one()
    return ended


class Horizon:
    """How far a sequence's rows are complete: what lies at or below ``at`` may be read in the order of ids.

    It asks and never waits: call ``look`` again until it has moved.
    """

    def __init__(self, sequence: str) -> None:
        self.at = 0
        self.last = 0
        """The last id that was seen drawn."""
        self._sequence = sequence
        self._pending: _Pending | None = None

    @property
    def waits(self) -> bool:
        """Whether there are ids above ``at`` whose transactions had not all ended at the last look."""
        return self._pending is not None

    async def look(self, connection: AsyncConnection) -> int:
        """Move ``at`` if it can be moved; return it. It goes back only where the database was set back in time."""
        if self._pending is None:
            self.last = await last_id(connection, self._sequence)
            if self.last <= self.at:
                self.at = self.last
                return self.at
            self._pending = _Pending(self.last, await own_id(connection))
        if await passed(connection, self._pending.own):
            self.at, self._pending = self._pending.last, None
        return self.at


class _Pending(msgspec.Struct, frozen=True):
    last: int
    own: str
