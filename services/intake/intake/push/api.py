"""Pushed changes over HTTP: the stream of events, and a client's webhooks. No decisions."""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from intake import rules
from intake.api.parts import IfMatch, Limit, json, version_of
from intake.callers import client_of
from intake.push import feed, queries, refusals, shown
from intake.push.commands import ChangeWebhook, Command, CreateWebhook, DeleteWebhook, Redeliver, TryWebhook
from intake.push.guard import Guard, RefusedAddressError, UnknownHostError
from intake.push.hub import Hub, Stream
from intake.push.schemas import ChangedWebhook, NewWebhook
from intake.push.stream import EventStream, Gap, Manner
from intake.schemas import Uscc
from kit import idempotency
from kit.access import Access, Principal
from kit.database import Database
from kit.errors import OverloadedError
from kit.groups import GroupedWriter
from kit.http import page_of
from kit.openapi import call
from kit.writes import IdempotencyKey, OptionalKey, key_of, response_of

TAGS: Final = {
    "events": "What changes, pushed as it happens: a stream of server-sent events.",
    "webhooks": "What changes, posted to the portal: signed, in order for each application, tried again for a day.",
}
ADDRESS: Final = ("webhook_address_refused", "webhook_host_unknown")
LastEventId = Annotated[
    str | None, Header(max_length=100, description="the id of the last event that was seen", examples=["1042"])
]


class Parts(msgspec.Struct, frozen=True):
    """What the routes need; None where they are only described."""

    database: Database
    writer: GroupedWriter[Command]
    hub: Hub
    guard: Guard
    access: Access
    manner: Manner = Manner()


def router(parts: Parts | None) -> APIRouter:
    """Return the routes of what is pushed."""
    routes = APIRouter(prefix="/v1")
    access = parts.access if parts else Access()

    def needed() -> Parts:
        assert parts is not None, "described, not called"
        return parts

    _add_events(routes, needed, access)
    _add_webhooks(routes, needed, access)
    _add_deliveries(routes, needed, access)
    return routes


Needed = Callable[[], Parts]


def _add_events(routes: APIRouter, parts: Needed, access: Access) -> None:
    Portal = Annotated[Principal, access.principal("portal")]  # noqa: N806  # a type

    @routes.get(
        "/events",
        tags=["events"],
        summary="Follow what changes, as server-sent events",
        response_class=Response,
        **call(media=shown.STREAM, refuses=["too_many_streams"]),
    )
    async def follow_events(
        person: Portal,
        applicant: Uscc | None = None,
        application_id: UUID | None = None,
        last_event_id: LastEventId = None,
    ) -> Response:
        own = parts()
        stream = Stream(client_of(person), applicant, application_id, own.manner.most_waiting)
        async with own.database.reading() as connection:
            gap = await _begin(connection, stream, own.hub.at, last_event_id)
        own.hub.enter(stream)
        return EventStream(own.hub, stream, own.manner, gap)


async def _begin(connection: AsyncConnection, stream: Stream, at: int | None, last: str | None) -> Gap | None:
    """Let a stream begin after the last event that was seen, or now; return the gap where that is not possible."""
    if at is None:
        raise OverloadedError
    if last is None:
        stream.after = at
        return None
    seen = int(last) if last.isascii() and last.isdigit() else -1
    forgotten = await feed.forgotten(connection)
    if not 0 <= seen <= await feed.last_drawn(connection):
        stream.after = at
        return Gap(requested=last, reason="unknown", resumed_after=str(at))
    stream.after = max(seen, forgotten)
    return None if seen >= forgotten else Gap(requested=last, reason="forgotten", resumed_after=str(forgotten))


def _add_webhooks(routes: APIRouter, parts: Needed, access: Access) -> None:
    Portal = Annotated[Principal, access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/webhooks",
        tags=["webhooks"],
        summary="Be called when something changes",
        **call(
            shown.OpenedWebhookOut,
            status=201,
            headers=["ETag", "Location"],
            refuses=["too_many_webhooks", *ADDRESS],
        ),
    )
    async def create_webhook(
        request: Request, body: NewWebhook, person: Portal, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key)
        assert key is not None, "it is required here"
        async with parts().database.reading() as connection:
            answered = await idempotency.find(connection, [key])
        if key not in answered:  # else the address was checked then
            await _check_address(parts().guard, body.url)
        command = CreateWebhook(key=key, client=client_of(person), url=body.url, events=body.events)
        return response_of(await parts().writer.submit(command))

    @routes.get("/webhooks", tags=["webhooks"], summary="All webhooks of this client", **call(shown.WebhooksOut))
    async def list_webhooks(person: Portal) -> Response:
        async with parts().database.reading() as connection:
            return json({"items": await queries.webhooks(connection, client_of(person)), "next_cursor": None})

    @routes.get(
        "/webhooks/{webhook_id}",
        tags=["webhooks"],
        summary="One webhook",
        **call(shown.WebhookOut, headers=["ETag"], refuses=["webhook_not_found"]),
    )
    async def get_webhook(webhook_id: UUID, person: Portal) -> Response:
        async with parts().database.reading() as connection:
            found = await _webhook(connection, person, webhook_id)
        response = json(found)
        response.headers["etag"] = f'"{found["version"]}"'
        return response

    @routes.patch(
        "/webhooks/{webhook_id}",
        tags=["webhooks"],
        summary="Change it, enable it again, rotate its secret",
        **call(shown.OpenedWebhookOut, headers=["ETag"], refuses=["webhook_not_found", "stale", *ADDRESS]),
    )
    async def change_webhook(
        webhook_id: UUID, body: ChangedWebhook, person: Portal, if_match: IfMatch = None
    ) -> Response:
        if body.url is not None:
            await _check_address(parts().guard, body.url)
        sent = body.model_dump()
        command = ChangeWebhook(client=client_of(person), webhook_id=webhook_id, version=version_of(if_match), **sent)
        return response_of(await parts().writer.submit(command))

    @routes.delete(
        "/webhooks/{webhook_id}",
        tags=["webhooks"],
        summary="Be called no more",
        **call(status=204, refuses=["webhook_not_found", "stale"]),
    )
    async def delete_webhook(webhook_id: UUID, person: Portal, if_match: IfMatch = None) -> Response:
        command = DeleteWebhook(client=client_of(person), webhook_id=webhook_id, version=version_of(if_match))
        answer = await parts().writer.submit(command)
        return Response(status_code=answer.status)


def _add_deliveries(routes: APIRouter, parts: Needed, access: Access) -> None:
    Portal = Annotated[Principal, access.principal("portal")]  # noqa: N806  # a type

    @routes.post(
        "/webhooks/{webhook_id}/test",
        tags=["webhooks"],
        summary="Send it a test event",
        **call(shown.DeliveryOut, status=202, refuses=["webhook_not_found", "webhook_disabled"]),
    )
    async def test_webhook(
        request: Request, webhook_id: UUID, person: Portal, idempotency_key: OptionalKey = None
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        command = TryWebhook(key=key, client=client_of(person), webhook_id=webhook_id)
        return response_of(await parts().writer.submit(command))

    @routes.get(
        "/webhooks/{webhook_id}/deliveries",
        tags=["webhooks"],
        summary="What it was sent, the latest first",
        **call(shown.DeliveriesOut, refuses=["webhook_not_found"]),
    )
    async def list_deliveries(
        webhook_id: UUID,
        person: Portal,
        status: Literal["pending", "delivered", "skipped"] | None = None,
        limit: Limit = 50,
        cursor: UUID | None = None,
    ) -> Response:
        async with parts().database.reading() as connection:
            await _webhook(connection, person, webhook_id)
            rows = await queries.deliveries(connection, webhook_id, status=status, before=cursor, limit=limit + 1)
        return json(page_of(rows, limit, "delivery_id"))

    @routes.post(
        "/webhooks/{webhook_id}/deliveries/{delivery_id}/redelivery",
        tags=["webhooks"],
        summary="Send it again, under the same id",
        **call(shown.DeliveryOut, status=202, refuses=["webhook_not_found", "delivery_not_found", "webhook_disabled"]),
    )
    async def repeat_delivery(
        request: Request,
        webhook_id: UUID,
        delivery_id: UUID,
        person: Portal,
        idempotency_key: OptionalKey = None,
    ) -> Response:
        key = await key_of(request, client_of(person), idempotency_key, required=False)
        command = Redeliver(key=key, client=client_of(person), webhook_id=webhook_id, delivery_id=delivery_id)
        return response_of(await parts().writer.submit(command))


async def _webhook(connection: AsyncConnection, person: Principal, webhook_id: UUID) -> dict[str, Any]:
    found = await queries.webhook(connection, client_of(person), webhook_id)
    if found is None:
        raise rules.not_found("webhook", webhook_id)
    return found


async def _check_address(guard: Guard, url: str) -> None:
    try:
        await guard.check(url)
    except RefusedAddressError as error:
        raise refusals.address_refused(str(error)) from error
    except UnknownHostError as error:
        raise refusals.host_unknown() from error
