"""Webhooks and deliveries as their client reads them. What a webhook answered is not kept, but for its status."""

from typing import Any

from intake.push.records import Delivery, Webhook


def webhook(record: Webhook) -> dict[str, Any]:
    """Return a webhook, without its secrets."""
    return {
        "webhook_id": record.webhook_id,
        "url": record.url,
        "events": record.events,
        "status": record.status,
        "disabled_because": record.disabled_because,
        "disabled_at": record.disabled_at,
        "previous_secret_until": record.previous_secret_until,
        "missed": record.missed,
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def delivery(record: Delivery) -> dict[str, Any]:
    """Return a delivery; its id is the `webhook-id` of each of its calls."""
    return {
        "delivery_id": record.delivery_id,
        "webhook_id": record.webhook_id,
        "type": record.type,
        "application_id": record.application_id,
        "position": str(record.position),
        "status": record.status,
        "attempts": record.attempts,
        "next_try_at": record.next_try_at if record.status == "pending" else None,
        "last_attempt_at": record.last_attempt_at,
        "last_status": record.last_status,
        "last_error": record.last_error,
        "delivered_at": record.delivered_at,
        "created_at": record.created_at,
    }
