"""What a client may do with its webhooks: one command for each call that writes, and the function that carries it out.

They travel in groups as the others do (``kit.groups``), so that a caller who goes away or asks twice does no harm.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from intake import rules
from intake.push import addressing, feed, refusals, signing, tables, views
from intake.push.records import WEBHOOK_TEST, Delivery, Webhook
from kit.groups import Outcome
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7
from kit.outbox import Announcements
from kit.rows import insert_records, rows_of, update_rows
from kit.sealing import keyring_of

MOST_OF_CLIENT: Final = 10
SECRET_OVERLAP: Final = timedelta(days=1)

_ALONE: Final = text("SELECT pg_advisory_xact_lock(7201455, hashtext(:client))")  # any constant; so that none slips in


class CreateWebhook(msgspec.Struct, frozen=True, kw_only=True):
    key: Key | None
    client: str
    url: str
    events: list[str]


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """Change what is given. ``skip_missed`` lets go of all that waits or would still come from before now."""

    key: None = None
    client: str
    webhook_id: UUID
    version: int | None
    url: str | None
    events: list[str] | None
    enabled: bool | None
    rotate_secret: bool
    skip_missed: bool


class DeleteWebhook(msgspec.Struct, frozen=True, kw_only=True):
    key: None = None
    client: str
    webhook_id: UUID
    version: int | None


class TryWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """Send it an event that means nothing."""

    key: Key | None
    client: str
    webhook_id: UUID


class Redeliver(msgspec.Struct, frozen=True, kw_only=True):
    """Send a delivery again, or now instead of later, under the same id."""

    key: Key | None
    client: str
    webhook_id: UUID
    delivery_id: UUID


Command = CreateWebhook | ChangeWebhook | DeleteWebhook | TryWebhook | Redeliver


async def apply(
    connection: AsyncConnection, commands: Sequence[Command], now: datetime
) -> tuple[list[Outcome], Announcements]:
    """Carry out a group of commands, one after the other; each refuses before it changes anything."""
    outcomes: list[Outcome] = []
    for command in commands:
        try:
            outcomes.append(await _carry_out(connection, command, now))
        except Refusal as refusal:
            outcomes.append(refusal)
    return outcomes, Announcements()


async def _carry_out(connection: AsyncConnection, command: Command, now: datetime) -> Answer:
    match command:
        case CreateWebhook():
            return await create_webhook(connection, command, now)
        case ChangeWebhook():
            return await change_webhook(connection, command, now)
        case DeleteWebhook():
            return await delete_webhook(connection, command)
        case TryWebhook():
            return await try_webhook(connection, command, now)
        case Redeliver():
            return await redeliver(connection, command, now)


async def create_webhook(connection: AsyncConnection, command: CreateWebhook, now: datetime) -> Answer:
    """Take in a webhook, which hears of all that happens from now on; answer 201 with its secret."""
    await connection.execute(_ALONE, {"client": command.client})
    query = select(func.count()).where(tables.webhooks.c.client == command.client)
    if (await connection.execute(query)).scalar_one() >= MOST_OF_CLIENT:
        raise refusals.too_many_webhooks(MOST_OF_CLIENT)
    webhook_id, secret = uuid7(), signing.new_secret()
    webhook = Webhook(
        webhook_id=webhook_id,
        client=command.client,
        url=command.url,
        events=command.events,
        secret=signing.sealed(keyring_of(connection), webhook_id, secret),
        cursor=await feed.last_drawn(connection),
        created_at=now,
        updated_at=now,
    )
    await insert_records(connection, tables.webhooks, [webhook])
    return _answer(webhook, 201, secret=secret, location=f"/v1/webhooks/{webhook.webhook_id}")


async def change_webhook(connection: AsyncConnection, command: ChangeWebhook, now: datetime) -> Answer:
    """Change a webhook, enable it again, or give it a new secret, of which the old one stays good for a day."""
    webhook = await _locked(connection, command.client, command.webhook_id, command.version)
    webhook.url = webhook.url if command.url is None else command.url
    webhook.events = webhook.events if command.events is None else command.events
    if command.enabled is not None:
        await _switch(connection, webhook, enabled=command.enabled, now=now)
    if command.skip_missed:
        await _skip(connection, webhook)
    secret = signing.new_secret() if command.rotate_secret else None
    if secret is not None:
        webhook.previous_secret, webhook.previous_secret_until = webhook.secret, now + SECRET_OVERLAP
        webhook.secret = signing.sealed(keyring_of(connection), webhook.webhook_id, secret)
    webhook.version += 1
    webhook.updated_at = now
    await update_rows(connection, tables.webhooks, rows_of([webhook]))
    return _answer(webhook, 200, secret=secret)


async def _switch(connection: AsyncConnection, webhook: Webhook, *, enabled: bool, now: datetime) -> None:
    """Switch it on or off. What waits when it is switched on is due at once, and has a day again."""
    if enabled == (webhook.status == "enabled"):
        return
    webhook.status = "enabled" if enabled else "disabled"
    webhook.disabled_because, webhook.disabled_at = (None, None) if enabled else ("client", now)
    webhook.not_before = None
    if enabled:
        columns = tables.deliveries.c
        waiting = update(tables.deliveries).where(columns.webhook_id == webhook.webhook_id, columns.status == "pending")
        await connection.execute(waiting.values(next_try_at=now, failing_since=None))


async def _skip(connection: AsyncConnection, webhook: Webhook) -> None:
    columns = tables.deliveries.c
    waiting = update(tables.deliveries).where(columns.webhook_id == webhook.webhook_id, columns.status == "pending")
    await connection.execute(waiting.values(status="skipped"))
    webhook.cursor = await feed.last_drawn(connection)


async def delete_webhook(connection: AsyncConnection, command: DeleteWebhook) -> Answer:
    """Take a webhook away with all its deliveries."""
    webhook = await _locked(connection, command.client, command.webhook_id, command.version)
    await connection.execute(delete(tables.webhooks).where(tables.webhooks.c.webhook_id == webhook.webhook_id))
    return Answer(204, b"")


async def try_webhook(connection: AsyncConnection, command: TryWebhook, now: datetime) -> Answer:
    """Add a delivery that means nothing; answer 202 with it."""
    webhook = await _enabled(connection, command.client, command.webhook_id)
    data = msgspec.json.encode({"webhook_id": webhook.webhook_id, "occurred_at": now})
    position = await feed.last_drawn(connection)
    added = addressing.delivery(webhook, WEBHOOK_TEST, data, now, position=position)
    await insert_records(connection, tables.deliveries, [added])
    return Answer(202, msgspec.json.encode(views.delivery(added)))


async def redeliver(connection: AsyncConnection, command: Redeliver, now: datetime) -> Answer:
    """Let a delivery be due now, whatever came of it before; answer 202 with it."""
    await _enabled(connection, command.client, command.webhook_id)
    columns = tables.deliveries.c
    query = select(tables.deliveries).where(
        columns.delivery_id == command.delivery_id, columns.webhook_id == command.webhook_id
    )
    row = (await connection.execute(query.with_for_update())).mappings().first()
    if row is None:
        raise rules.not_found("delivery", command.delivery_id)
    again = Delivery(**row)
    again.status, again.next_try_at, again.failing_since, again.delivered_at = "pending", now, None, None
    changed: dict[str, Any] = {name: getattr(again, name) for name in _DUE}
    await connection.execute(
        update(tables.deliveries).where(columns.delivery_id == command.delivery_id).values(changed)
    )
    return Answer(202, msgspec.json.encode(views.delivery(again)))


_DUE: Final = ("status", "next_try_at", "failing_since", "delivered_at")


async def _locked(connection: AsyncConnection, client: str, webhook_id: UUID, version: int | None = None) -> Webhook:
    columns = tables.webhooks.c
    query = select(tables.webhooks).where(columns.webhook_id == webhook_id, columns.client == client)
    row = (await connection.execute(query.with_for_update())).mappings().first()
    if row is None:
        raise rules.not_found("webhook", webhook_id)
    if version is not None and version != row["version"]:
        raise refusals.stale(row["version"])
    return Webhook(**row)


async def _enabled(connection: AsyncConnection, client: str, webhook_id: UUID) -> Webhook:
    webhook = await _locked(connection, client, webhook_id)
    if webhook.status != "enabled":
        raise refusals.webhook_disabled()
    return webhook


def _answer(webhook: Webhook, status: int, *, secret: str | None, location: str | None = None) -> Answer:
    """Return the answer. It is kept sealed (``kit.idempotency``), for the secret's sake too."""
    shown = views.webhook(webhook) | ({"secret": secret} if secret else {})
    headers = {"etag": f'"{webhook.version}"'} | ({"location": location} if location else {})
    return Answer(status, msgspec.json.encode(shown), headers)
