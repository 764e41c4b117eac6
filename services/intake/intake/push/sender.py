"""Posts deliveries: in order for each application of a webhook, those of others beside it.

A delivery is leased in a short transaction, posted outside of any, and what came of it is stored in another. Whoever is
killed in between leaves a lease that runs out; the delivery is then posted again under the same id.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import meters, outcomes, retrying, signing, tables
from intake.push.posting import Poster
from intake.push.records import Delivery, Webhook
from kit.among import among_given
from kit.backoff import Backoff
from kit.database import Database, describe
from kit.driver import Prepared, fetch
from kit.logging import get_logger

log = get_logger(__name__)

_LEASE_MARGIN: Final = timedelta(seconds=10)
_DRAIN_SECONDS: Final = 4.0

_NOW_IF_ANY_WAITS: Final = "SELECT now() WHERE EXISTS (SELECT FROM deliveries WHERE status = 'pending')"
# The first of each application's deliveries, if it is due ($1) and nobody is at it; of one webhook at most $3 at once.
_LEASE: Final = f"""
WITH heads AS (
  SELECT DISTINCT ON (d.webhook_id, d.application_id) d.delivery_id, d.webhook_id, d.next_try_at, d.leased_until
  FROM deliveries AS d JOIN webhooks AS w ON w.webhook_id = d.webhook_id
  WHERE d.status = 'pending' AND w.status = 'enabled' AND (w.not_before IS NULL OR w.not_before <= $1)
  ORDER BY d.webhook_id, d.application_id, d.position, d.delivery_id
), crowded AS (
  SELECT *, leased_until IS NOT NULL AND leased_until > $1 AS busy,
    count(*) FILTER (WHERE leased_until > $1) OVER (PARTITION BY webhook_id) AS busy_ones
  FROM heads
), free AS (
  SELECT delivery_id, busy_ones + row_number() OVER (PARTITION BY webhook_id ORDER BY next_try_at, delivery_id)
    AS place
  FROM crowded WHERE NOT busy AND next_try_at <= $1
), taken AS (
  SELECT delivery_id FROM deliveries
  WHERE delivery_id IN (SELECT delivery_id FROM free WHERE place <= $3 ORDER BY place LIMIT $4)
    AND status = 'pending' AND (leased_until IS NULL OR leased_until <= $1)
  FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET leased_until = $2, attempts = attempts + 1, last_attempt_at = $1
FROM taken WHERE deliveries.delivery_id = taken.delivery_id
RETURNING {", ".join(f"deliveries.{name}" for name in Delivery.__struct_fields__)}
"""  # noqa: S608  # our own names
_WEBHOOKS: Final = Prepared(
    select(*[tables.webhooks.c[name] for name in Webhook.__struct_fields__]).where(
        among_given(tables.webhooks.c.webhook_id, "webhook_ids")
    )
)


class Sender:
    """Leases, posts and stores, ``most_at_once`` deliveries at a time; ``wake`` makes it look at once."""

    def __init__(
        self,
        database: Database,
        poster: Poster,
        *,
        most_at_once: int = 20,
        most_for_one: int = 4,
        call_seconds: float = 15.0,
        poll_seconds: float = 0.5,
    ) -> None:
        assert database.keyring is not None, "secrets of webhooks are sealed"
        self._database = database
        self._keyring = database.keyring
        self._poster = poster
        self._most_at_once = most_at_once
        self._most_for_one = most_for_one
        self._lease = timedelta(seconds=call_seconds) + _LEASE_MARGIN
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Say that there may be something to post."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Post until ``stop``; then what is on its way has a moment to come back, and is posted again otherwise."""
        backoff = Backoff()
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            try:
                await self.begin()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("sender_waits", reason=describe(error))
                await backoff.pause(stop)
                continue
            backoff.reset()
            await self._nap(stopping)
        stopping.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=_DRAIN_SECONDS)
        await self._poster.close()

    async def _nap(self, stopping: asyncio.Task[bool]) -> None:
        woken = asyncio.create_task(self._woken.wait())
        await asyncio.wait({woken, stopping}, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()
        self._woken.clear()

    async def round(self, now: datetime) -> int:
        """Post what is due at ``now``, wait for all of it; return how many calls that were."""
        calls = await self.begin(now)
        await asyncio.gather(*calls)
        return len(calls)

    async def begin(self, now: datetime | None = None) -> Sequence[asyncio.Task[None]]:
        """Begin to post what is due at ``now``, by the database's clock if not given; return the calls."""
        room = self._most_at_once - len(self._calls)
        if room <= 0 or (now := now or await self._now_if_any_waits()) is None:
            return []
        async with self._database.transaction() as connection:
            leased = await self._take(connection, now, room)
            webhooks = await _webhooks_of(connection, leased)
        calls = [
            asyncio.create_task(self._call(webhooks[delivery.webhook_id], delivery, now), name="webhook-call")
            for delivery in leased
            if delivery.webhook_id in webhooks  # it may have been taken away just now
        ]
        for call in calls:
            self._calls.add(call)
            call.add_done_callback(self._ended)
        return calls

    async def _now_if_any_waits(self) -> datetime | None:
        """Return the database's time, or None while nothing waits: most often, and it costs one short statement."""
        async with self._database.reading() as connection:
            found = await fetch(connection, _NOW_IF_ANY_WAITS)
        return found[0][0] if found else None

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._woken.set()
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("webhook_call_broke", exc_info=error)  # its lease runs out, and it is posted again

    async def _take(self, connection: AsyncConnection, now: datetime, room: int) -> list[Delivery]:
        leased = await fetch(connection, _LEASE, now, now + self._lease, self._most_for_one, room)
        return [Delivery(**row) for row in leased]

    async def _call(self, webhook: Webhook, delivery: Delivery, now: datetime) -> None:
        headers = signing.headers(self._keyring, webhook, str(delivery.delivery_id), delivery.body, now)
        reply = await self._poster.post(webhook.url, headers, delivery.body)
        meters.DELIVERY_SECONDS.observe(reply.seconds)
        step = retrying.next_step(reply, delivery.failing_since, now, random.random())  # noqa: S311  # jitter
        try:
            await outcomes.store(self._database, webhook, delivery, reply, step, now)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("webhook_outcome_lost", delivery_id=str(delivery.delivery_id), reason=describe(error))


async def _webhooks_of(connection: AsyncConnection, deliveries: Sequence[Delivery]) -> dict[object, Webhook]:
    ids = {delivery.webhook_id for delivery in deliveries}
    if not ids:
        return {}
    return {row["webhook_id"]: Webhook(**row) for row in await _WEBHOOKS.rows(connection, webhook_ids=list(ids))}
