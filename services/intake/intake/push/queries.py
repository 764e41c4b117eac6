"""What a client reads of its webhooks."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import tables, views
from intake.push.records import Delivery, Webhook

_WEBHOOKS = tables.webhooks.c
_DELIVERIES = tables.deliveries.c


async def webhooks(connection: AsyncConnection, client: str) -> list[dict[str, Any]]:
    """Return a client's webhooks, in the order of their making: they are few."""
    query = select(tables.webhooks).where(_WEBHOOKS.client == client).order_by(_WEBHOOKS.webhook_id)
    return [views.webhook(Webhook(**row)) for row in (await connection.execute(query)).mappings()]


async def webhook(connection: AsyncConnection, client: str, webhook_id: UUID) -> dict[str, Any] | None:
    """Return one of a client's webhooks, or None."""
    query = select(tables.webhooks).where(_WEBHOOKS.webhook_id == webhook_id, _WEBHOOKS.client == client)
    row = (await connection.execute(query)).mappings().first()
    return views.webhook(Webhook(**row)) if row else None


async def deliveries(
    connection: AsyncConnection, webhook_id: UUID, *, status: str | None, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return deliveries of a webhook, the latest first, those with ids below ``before``."""
    query = select(tables.deliveries).where(_DELIVERIES.webhook_id == webhook_id)
    if status is not None:
        query = query.where(_DELIVERIES.status == status)
    if before is not None:
        query = query.where(_DELIVERIES.delivery_id < before)
    query = query.order_by(_DELIVERIES.delivery_id.desc()).limit(limit)
    return [views.delivery(Delivery(**row)) for row in (await connection.execute(query)).mappings()]
