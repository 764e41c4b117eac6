"""What is kept, and for how long: old pushes and deliveries are forgotten, and the gauges are set."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import feed, meters
from kit.backoff import wait
from kit.database import Database, describe
from kit.logging import get_logger

log = get_logger(__name__)

_LOOK_SECONDS: Final = 15.0
_FORGET_SECONDS: Final = 600.0
_AT_ONCE: Final = 5_000

_NOW: Final = text("SELECT now()")
_TURN: Final = text("SELECT pg_try_advisory_xact_lock(7201456)")  # any constant: one process forgets at a time
_OLDEST: Final = text(
    "SELECT delivery_id, webhook_id, status FROM deliveries WHERE created_at < :before ORDER BY created_at LIMIT :limit"
)
_COUNT_MISSED: Final = text("UPDATE webhooks SET missed = missed + :number WHERE webhook_id = :webhook_id")
_DELETE: Final = text("DELETE FROM deliveries WHERE delivery_id = ANY(CAST(:ids AS uuid[]))")
_WEBHOOKS: Final = text("SELECT status, count(*) AS number FROM webhooks GROUP BY status")
_PENDING: Final = text(
    """
    SELECT count(*) AS number, min(d.created_at) AS oldest FROM deliveries AS d
    JOIN webhooks AS w ON w.webhook_id = d.webhook_id WHERE d.status = 'pending' AND w.status = 'enabled'
    """
)


class Keeper:
    """Forgets what is older than ``retention`` (at least 7 days are promised)."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._database = database
        self._retention = retention

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop``; a database that is away is asked again later."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while not stop.is_set():
            try:
                async with self._database.reading() as connection:
                    now: datetime = (await connection.execute(_NOW)).scalar_one()
                if loop.time() >= forget_at:
                    await self.forget(now)
                    forget_at = loop.time() + _FORGET_SECONDS
                await self.measure(now)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("keeper_waits", reason=describe(error))
            await wait(stop, _LOOK_SECONDS)

    async def forget(self, now: datetime) -> tuple[int, int]:
        """Forget all that is too old at ``now``; return how many pushes and deliveries that were."""
        before = now - self._retention
        pushes = deliveries = 0
        while True:
            async with self._database.transaction() as connection:
                if not (await connection.execute(_TURN)).scalar_one():
                    break
                old = await feed.forget(connection, before, _AT_ONCE)
                done = await _forget_deliveries(connection, before)
            pushes, deliveries = pushes + old, deliveries + done
            if old == done == 0:
                break
        if pushes or deliveries:
            log.info("pushes_forgotten", pushes=pushes, deliveries=deliveries)
        return pushes, deliveries

    async def measure(self, now: datetime) -> None:
        """Set the gauges from the database, so that every process shows the same."""
        async with self._database.reading() as connection:
            found = {row.status: row.number for row in await connection.execute(_WEBHOOKS)}
            waiting = (await connection.execute(_PENDING)).one()
        for status in ("enabled", "disabled"):
            meters.WEBHOOKS.labels(status).set(found.get(status, 0))
        meters.PENDING.set(waiting.number)
        meters.OLDEST.set(max(0.0, (now - waiting.oldest).total_seconds()) if waiting.oldest else 0.0)


async def _forget_deliveries(connection: AsyncConnection, before: datetime) -> int:
    """Forget some. What still waits for a webhook by then is missed, and counted: nothing is dropped in silence."""
    oldest = (await connection.execute(_OLDEST, {"before": before, "limit": _AT_ONCE})).all()
    missed = Counter(row.webhook_id for row in oldest if row.status == "pending")
    for webhook_id, number in sorted(missed.items()):
        await connection.execute(_COUNT_MISSED, {"webhook_id": webhook_id, "number": number})
    await connection.execute(_DELETE, {"ids": [row.delivery_id for row in oldest]})
    return len(oldest)
