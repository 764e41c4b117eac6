"""Redrive: takes parked events up again, key by key and in order, in the way they would have been handled first.

One key's events are handled in one transaction that holds the lock of their partition's offset, so the consumer sees
the key either still parked or free. The inbox drops what was handled before; ids stay the same. What fails again
stays parked, with those behind it. Every redrive and discard is kept: who, when, why.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import meters, outbox, parking, tracing
from kit.backoff import wait
from kit.batch import Handler
from kit.database import Database, describe, is_transient, undone
from kit.errors import NotYetError
from kit.inbox import unseen
from kit.logging import get_logger
from kit.messages import parse
from kit.parking import Place, Row

log = get_logger(__name__)

EVENTS_AT_ONCE: Final = 500
KEYS_AT_ONCE: Final = 10_000
_LOOK_EVERY_SECONDS: Final = 0.5
_RETRY_FIRST_SECONDS: Final = 0.5
_RETRY_MOST_SECONDS: Final = 60.0

_COLUMNS: Final = """
    id, topic, partition, "offset", key AS key_text, event_id, type, headers AS header_texts, value, family, reason,
    error_class, attempts, state, parked_at, next_try_at, settled_at, settled_by, settled_why
"""
_LOCK: Final = text(
    """
    SELECT now() AS now FROM consumer_offset
    WHERE consumer_group = :group AND (topic, partition) IN (
      SELECT DISTINCT topic, partition FROM parked WHERE state = 'parked' AND topic = :topic AND key = :key)
    ORDER BY topic, partition FOR UPDATE
    """
)
_OF_KEY: Final = text(
    f"""
    SELECT {_COLUMNS} FROM parked WHERE state = 'parked' AND topic = :topic AND key = :key
    ORDER BY partition, "offset" LIMIT :limit
    """  # noqa: S608  # a constant list of columns
)
_BY_ID: Final = text(f"SELECT {_COLUMNS} FROM parked WHERE id = :id")  # noqa: S608
_SETTLE: Final = text(
    """
    UPDATE parked SET state = :state, settled_at = now(), settled_by = :who, settled_why = :why
    WHERE id = :id AND state = 'parked'
    """
)
_FAILED: Final = text(
    """
    UPDATE parked SET attempts = attempts + 1, reason = :reason, error_class = :error_class, family = :family,
      next_try_at = now() + make_interval(secs => least(:most, :first * power(2, least(attempts, 10))))
    WHERE id = :id
    """
)
_KEYS: Final = text(
    """
    SELECT DISTINCT ON (topic, key) topic, key, family, reason, type, parked_at, next_try_at, attempts,
      count(*) OVER (PARTITION BY topic, key) AS events
    FROM parked WHERE state = 'parked' AND (CAST(:topic AS text) IS NULL OR topic = :topic)
    ORDER BY topic, key, partition, "offset" LIMIT :limit
    """
)
_COUNT: Final = text("SELECT count(*) FROM parked WHERE state = 'parked' AND topic = :topic AND key = :key")
_DUE: Final = text(
    """
    SELECT topic, key FROM parked WHERE state = 'parked' AND family = 'not_yet' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT :limit
    """
)
_AUDITED: Final = text(
    "SELECT id, at, who, why, action, topic, key, handled, stopped_by FROM redrive_audit ORDER BY id DESC LIMIT :limit"
)
_AUDIT: Final = text(
    """
    INSERT INTO redrive_audit (who, why, action, topic, key, handled, stopped_by)
    VALUES (:who, :why, :action, :topic, :key, :handled, :stopped_by)
    """
)


class Outcome(msgspec.Struct, frozen=True):
    """What a redrive of one key did, or would do: how many were handled, how many are left, and what stopped it.

    A redrive takes up EVENTS_AT_ONCE events at most: some may be left although nothing stopped it.
    """

    topic: str
    key: str
    handled: int
    left: int
    stopped_by: str | None


class _DryRun(Exception):  # noqa: N818  # no error: it rolls back
    """Raised to undo a dry run."""


class Redrive:
    """Redrives and discards for one service's group."""

    def __init__(
        self, database: Database, *, group: str, handle: Handler, committed: Callable[[], None] = lambda: None
    ) -> None:
        self.database = database
        self.group = group
        self._handle = handle
        self._committed = committed
        self._counted: set[str] = set()

    async def keys(self, topic: str | None = None, limit: int = KEYS_AT_ONCE) -> list[dict[str, Any]]:
        """Return the keys that are held (of one topic, or all), with what stopped each and how many events wait."""
        async with self.database.reading() as connection:
            rows = await connection.execute(_KEYS, {"topic": topic, "limit": limit})
            return [dict(row) for row in rows.mappings()]

    async def show(self, topic: str, key: str) -> list[Row]:
        """Return the parked events of a key, in order."""
        async with self.database.reading() as connection:
            return await _rows(connection, topic, key)

    async def one(self, place: Place, *, who: str, why: str, dry_run: bool = False) -> Outcome:
        """Handle a key's parked events until all are handled or one fails again."""
        outcome = Outcome(*place, 0, 0, None)
        try:
            async with self.database.transaction() as connection:
                outcome = await self._take_up(connection, place, who=who, why=why)
                _undo(dry_run)
        except _DryRun:
            return outcome
        if outcome.handled:
            self._committed()
        log.info("redriven", topic=place[0], handled=outcome.handled, left=outcome.left, stopped_by=outcome.stopped_by)
        return outcome

    async def all(self, *, who: str, why: str, dry_run: bool = False) -> list[Outcome]:
        """Redrive every held key."""
        places = [(found["topic"], found["key"]) for found in await self.keys()]
        return [await self.one(place, who=who, why=why, dry_run=dry_run) for place in places]

    async def due(self, limit: int = 50) -> int:
        """Redrive the keys whose first event waits for another topic and is due; return how many were taken up."""
        async with self.database.reading() as connection:
            places = [(row.topic, row.key) for row in await connection.execute(_DUE, {"limit": limit})]
        for place in dict.fromkeys(places):
            await self.one(place, who="drawdown", why="what it waited for may have come")
        return len(places)

    async def run(self, stop: asyncio.Event) -> None:
        """Take up by itself what waits for another topic, and keep the count of what is parked, until ``stop``."""
        while not await wait(stop, _LOOK_EVERY_SECONDS):
            try:
                await self.due()
                async with self.database.reading() as connection:
                    waiting = await parking.count(connection)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("redrive_waits", reason=describe(error))
                continue
            for topic in self._counted | waiting.keys():
                meters.PARKED.labels(topic).set(waiting.get(topic, 0))
            self._counted |= waiting.keys()

    async def audited(self, limit: int) -> list[dict[str, Any]]:
        """Return who redrove or discarded what, when and why, the latest first."""
        async with self.database.reading() as connection:
            return [dict(row) for row in (await connection.execute(_AUDITED, {"limit": limit})).mappings()]

    async def discard(self, identifier: int, *, who: str, why: str) -> Row | None:
        """Take one parked event out for good, which frees those behind it; return it, or None when there is none."""
        async with self.database.transaction() as connection:
            found = (await connection.execute(_BY_ID, {"id": identifier})).mappings().first()
            if found is None or found["state"] != "parked":
                return None
            row = Row(**found)
            await connection.execute(_LOCK, {"group": self.group, "topic": row.topic, "key": row.key_text})
            await _settle(connection, row, "discarded", who, why)
            await _audit(connection, who, why, "discard", Outcome(row.topic, row.key_text, 1, 0, None))
        log.warning("discarded", topic=row.topic, partition=row.partition, offset=row.offset, who=who, why=why)
        return row

    async def _take_up(self, connection: AsyncConnection, place: Place, *, who: str, why: str) -> Outcome:
        topic, key = place
        locked = (await connection.execute(_LOCK, {"group": self.group, "topic": topic, "key": key})).first()
        if locked is None:
            return Outcome(topic, key, 0, 0, None)
        rows = await _rows(connection, topic, key)
        waiting = (await connection.execute(_COUNT, {"topic": topic, "key": key})).scalar_one()
        handled, stopped_by = 0, None
        for row in rows:
            stopped_by = await self._again(connection, row, locked.now)
            if stopped_by is not None:
                break
            await _settle(connection, row, "redriven", who, why)
            handled += 1
        outcome = Outcome(topic, key, handled, waiting - handled, stopped_by)
        if handled or who != "drawdown":
            await _audit(connection, who, why, "redrive", outcome)
        return outcome

    async def _again(self, connection: AsyncConnection, row: Row, now: datetime) -> str | None:
        """Handle one parked event behind a savepoint; return why it fails again, or None."""
        try:
            async with connection.begin_nested():
                message = parse(row)
                for fresh in await unseen(connection, [message]):
                    with tracing.work("process", self.group) as work:
                        await outbox.add(connection, await self._handle(connection, work.of([fresh]), now))
        except Exception as error:  # noqa: BLE001  # whatever it is, the event stays parked with the new reason
            undone(connection)
            reason = describe(error)
            values = {
                "id": row.id,
                "reason": reason,
                "error_class": type(error).__name__,
                "family": "not_yet" if isinstance(error, NotYetError) else row.family,
                "first": _RETRY_FIRST_SECONDS,
                "most": _RETRY_MOST_SECONDS,
            }
            await connection.execute(_FAILED, values)
            return reason
        return None


def _undo(dry_run: bool) -> None:
    if dry_run:
        raise _DryRun


async def _rows(connection: AsyncConnection, topic: str, key: str) -> list[Row]:
    values = {"topic": topic, "key": key, "limit": EVENTS_AT_ONCE}
    return [Row(**row) for row in (await connection.execute(_OF_KEY, values)).mappings()]


async def _settle(connection: AsyncConnection, row: Row, state: str, who: str, why: str) -> None:
    await connection.execute(_SETTLE, {"id": row.id, "state": state, "who": who, "why": why})


async def _audit(connection: AsyncConnection, who: str, why: str, action: str, outcome: Outcome) -> None:
    values = {"who": who, "why": why, "action": action, **msgspec.structs.asdict(outcome)}
    values.pop("left")
    await connection.execute(_AUDIT, values)
