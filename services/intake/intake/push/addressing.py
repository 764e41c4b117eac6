"""From pushes to deliveries: for each webhook, what came since it was last looked at for it, exactly once.

A webhook's cursor moves in the transaction that adds its deliveries. How many may wait for one webhook is bounded; what
is beyond stays among the pushes until there is room.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import feed, tables
from intake.push.records import STREAM_GAP, Delivery, Push, Webhook
from kit.backoff import Backoff, wait
from kit.database import Database, describe
from kit.driver import Prepared, execute, fetch
from kit.identifiers import uuid7
from kit.logging import get_logger
from kit.rows import insert_records

log = get_logger(__name__)

MOST_PENDING: Final = 5_000
_COLUMNS: Final = tables.webhooks.c
_ENABLED: Final = "SELECT webhook_id, cursor FROM webhooks WHERE status = 'enabled'"
_LOCKED: Final = Prepared(
    select(*[_COLUMNS[name] for name in Webhook.__struct_fields__])
    .where(_COLUMNS.webhook_id == bindparam("webhook_id"), _COLUMNS.status == "enabled")
    .with_for_update(skip_locked=True)
)
_NOW_AND_PENDING: Final = "SELECT now(), count(*) FROM deliveries WHERE webhook_id = $1 AND status = 'pending'"
_MOVE: Final = "UPDATE webhooks SET cursor = $2 WHERE webhook_id = $1"


class Addressing:
    """Looks for pushes that a webhook has not been looked at for; ``addressed`` is called when there is work."""

    def __init__(
        self, database: Database, *, poll_seconds: float = 0.2, addressed: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._addressed = addressed
        self._horizon = feed.horizon()

    async def run(self, stop: asyncio.Event) -> None:
        """Address until ``stop``; a database that is away is waited for."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                added = await self.round()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("addressing_waits", reason=describe(error))
                await backoff.pause(stop)
                continue
            backoff.reset()
            if added:
                self._addressed()
            else:
                await wait(stop, self._poll_seconds)

    async def round(self) -> int:
        """Look at one page for each webhook that is behind; return how many deliveries that made."""
        async with self._database.reading() as connection:
            cursors = await fetch(connection, _ENABLED)
            if not cursors and not self._horizon.waits:
                return 0  # nobody wants to be called, so nobody has to know how far the pushes are
            until = await self._horizon.look(connection)
        return sum([await self._address(webhook_id, until) for webhook_id, cursor in cursors if cursor < until])

    async def _address(self, webhook_id: UUID, until: int) -> int:
        async with self._database.transaction() as connection:
            locked = await _LOCKED.rows(connection, webhook_id=webhook_id)
            if not locked or locked[0]["cursor"] >= until:
                return 0
            [[now, pending]] = await fetch(connection, _NOW_AND_PENDING, webhook_id)
            return 0 if pending >= MOST_PENDING else await _add(connection, Webhook(**locked[0]), until, now)


async def _add(connection: AsyncConnection, webhook: Webhook, until: int, now: datetime) -> int:
    deliveries: list[Delivery] = []
    forgotten = await feed.forgotten(connection)
    if webhook.cursor < forgotten:
        gap = {"after": str(webhook.cursor), "resumed_after": str(forgotten)}
        deliveries.append(delivery(webhook, STREAM_GAP, msgspec.json.encode(gap), now, position=forgotten))
        webhook.cursor = forgotten
    page = await feed.page(connection, webhook.cursor, until, webhook.client)
    deliveries += [_of_push(webhook, push, now) for push in page.pushes if wants(webhook.events, push.type)]
    await insert_records(connection, tables.deliveries, deliveries)
    await execute(connection, _MOVE, webhook.webhook_id, page.end)
    return len(deliveries)


def wants(events: Sequence[str], kind: str) -> bool:
    """Return whether a webhook asked for this type: all of them, by its name, or by its family (``claim.*``)."""
    return not events or kind in events or f"{kind.partition('.')[0]}.*" in events


def delivery(
    webhook: Webhook,
    kind: str,
    data: bytes,
    now: datetime,
    *,
    position: int,
    application_id: UUID | None = None,
    happened_at: datetime | None = None,
) -> Delivery:
    """Return a new delivery, due at once, with its body as Standard Webhooks has it: type, timestamp, data."""
    head = msgspec.json.encode({"type": kind, "timestamp": happened_at or now, "position": str(position)})
    return Delivery(
        delivery_id=uuid7(),
        webhook_id=webhook.webhook_id,
        position=position,
        type=kind,
        body=b'%s,"data":%s}' % (head[:-1], data),
        next_try_at=now,
        application_id=application_id,
        created_at=now,
    )


def _of_push(webhook: Webhook, push: Push, now: datetime) -> Delivery:
    return delivery(
        webhook,
        push.type,
        push.data,
        now,
        position=push.id,
        application_id=push.application_id,
        happened_at=push.created_at,
    )
