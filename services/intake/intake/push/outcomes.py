"""What came of a call, as it is stored: delivered, to be tried again, or the webhook given up and its client told."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import AsyncConnection

from intake.push import meters, tables, telling
from intake.push.posting import Reply
from intake.push.records import Delivery, Webhook
from intake.push.retrying import Again, Delivered, GiveUp
from kit.database import Database
from kit.driver import execute
from kit.logging import get_logger
from kit.rows import insert_records

log = get_logger(__name__)

_DELIVERED: Final = """
UPDATE deliveries SET status = 'delivered', delivered_at = $3, leased_until = NULL, last_status = $4, last_error = $5,
  failing_since = NULL
WHERE delivery_id = $1 AND attempts = $2 AND status = 'pending'
"""


async def store(
    database: Database,
    webhook: Webhook,
    delivery: Delivery,
    reply: Reply,
    step: Delivered | Again | GiveUp,
    now: datetime,
) -> None:
    """Store it, unless the lease ran out and somebody else has it. ``now`` is when the call began."""
    seen: dict[str, Any] = {"leased_until": None, "last_status": reply.status, "last_error": reply.error}
    async with database.transaction() as connection:
        match step:
            case Delivered():
                outcome = "delivered"
                mine = (delivery.delivery_id, delivery.attempts)
                await execute(connection, _DELIVERED, *mine, now, reply.status, reply.error)
            case Again(at=at, not_before=not_before):
                outcome = "failed"
                if not_before is not None:
                    await connection.execute(_of_webhook(webhook).values(not_before=not_before))
                since = delivery.failing_since or now
                await connection.execute(_of(delivery).values(seen | {"next_try_at": at, "failing_since": since}))
            case GiveUp(because=because):
                outcome = "given_up"
                await _disable(connection, webhook, because, now)
                await connection.execute(_of(delivery).values(seen | {"failing_since": None, "next_try_at": now}))
    meters.DELIVERIES.labels(outcome).inc()
    if outcome == "delivered":
        meters.DELIVERY_DELAY.observe(max(0.0, (now - delivery.created_at).total_seconds()) + reply.seconds)
    elif outcome == "failed":
        log.info(
            "webhook_failed",
            webhook_id=str(webhook.webhook_id),
            delivery_id=str(delivery.delivery_id),
            attempt=delivery.attempts,
            status=reply.status,
            reason=reply.error,
        )


def _of(delivery: Delivery) -> Update:
    columns = tables.deliveries.c
    return update(tables.deliveries).where(
        columns.delivery_id == delivery.delivery_id,
        columns.attempts == delivery.attempts,
        columns.status == "pending",
    )


def _of_webhook(webhook: Webhook) -> Update:
    return update(tables.webhooks).where(tables.webhooks.c.webhook_id == webhook.webhook_id)


async def _disable(connection: AsyncConnection, webhook: Webhook, because: str, now: datetime) -> None:
    """Call it no more, and say so, once: to its client's streams and other webhooks, to the log and the meters."""
    values = {"status": "disabled", "disabled_because": because, "disabled_at": now, "updated_at": now}
    columns = tables.webhooks.c
    changed = await connection.execute(
        _of_webhook(webhook).where(columns.status == "enabled").values(**values, version=columns.version + 1)
    )
    if changed.rowcount:
        webhook.disabled_because = because
        await insert_records(connection, tables.pushes, [telling.disabled(webhook, now)])
        meters.WEBHOOKS_DISABLED.labels(because).inc()
        log.warning("webhook_disabled", webhook_id=str(webhook.webhook_id), because=because)
