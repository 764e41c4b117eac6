"""From pushes to deliveries: for each webhook, what came since it was last looked at for it, exactly once.

A webhook's cursor moves in the transaction that adds its deliveries. How many may wait for one webhook is bounded; what
is beyond stays among the pushes until there is room.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import feed, tables
from intake.push.records import STREAM_GAP, Delivery, Push, Webhook
from kit.backoff import Backoff, wait
from kit.database import Database, describe
from kit.identifiers import uuid7
from kit.logging import get_logger
from kit.rows import insert_records

log = get_logger(__name__)

MOST_PENDING: Final = 5_000
_NOW: Final = text("SELECT now()")
_COLUMNS: Final = tables.webhooks.c


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
            until = await self._horizon.look(connection)
            behind = (await connection.execute(_behind(until))).scalars().all()
        return sum([await self._address(webhook_id, until) for webhook_id in behind])

    async def _address(self, webhook_id: UUID, until: int) -> int:
        async with self._database.transaction() as connection:
            query = select(tables.webhooks).where(_COLUMNS.webhook_id == webhook_id, _COLUMNS.status == "enabled")
            row = (await connection.execute(query.with_for_update(skip_locked=True))).mappings().first()
            if row is None or row["cursor"] >= until or await pending(connection, webhook_id) >= MOST_PENDING:
                return 0
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            return await _add(connection, Webhook(**row), until, now)


def _behind(until: int) -> Select[Any]:
    return select(_COLUMNS.webhook_id).where(_COLUMNS.status == "enabled", _COLUMNS.cursor < until)


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
    moved = update(tables.webhooks).where(_COLUMNS.webhook_id == webhook.webhook_id).values(cursor=page.end)
    await connection.execute(moved)
    return len(deliveries)


async def pending(connection: AsyncConnection, webhook_id: UUID) -> int:
    """Return how many deliveries wait for a webhook."""
    columns = tables.deliveries.c
    query = select(func.count()).where(columns.webhook_id == webhook_id, columns.status == "pending")
    return int((await connection.execute(query)).scalar_one())


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
