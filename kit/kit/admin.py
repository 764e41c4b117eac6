"""What an operator asks of every service: which events are parked and why, redrive or discard them, how far behind.

All of it is for holders of the scope `ops`. `who` and `why` are kept as they are given; where the token is another's,
its subject is kept beside it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query

from contracts.refusal import Refusal
from kit import refill
from kit.access import Access, Principal
from kit.admin_schemas import (
    DiscardIn,
    LagsOut,
    Name,
    ParkedEventOut,
    ParkedEventsOut,
    ParkedKeysOut,
    RedriveIn,
    RedriveOut,
    RedrivesOut,
    RepeatedOut,
    RereadIn,
    ResendIn,
)
from kit.lag import Lags
from kit.openapi import call
from kit.parking import Row
from kit.redrive import Outcome, Redrive

TAG: Final = "admin"
SCOPE: Final = "ops"
_SHOWN_BYTES: Final = 64 * 1024
_AT_ONCE: Final = 2  # these calls use the loops' connections, and must leave them room

Topic = Annotated[str | None, Query(max_length=200, description="only this topic")]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many items")]


Parts = Callable[[], tuple[Redrive, Lags]]


def router(redrive: Redrive | None, lags: Lags | None, access: Access) -> APIRouter:
    """Return the routes. Without their parts they can be described, not called."""
    places = asyncio.Semaphore(_AT_ONCE)
    Operator = Annotated[Principal, access.principal(SCOPE)]  # noqa: N806  # a type

    async def place(_operator: Operator) -> AsyncIterator[None]:
        async with places:
            yield

    routes = APIRouter(prefix="/admin", tags=[TAG], dependencies=[Depends(place)])

    def parts() -> tuple[Redrive, Lags]:
        assert redrive is not None, "described, not called"
        assert lags is not None, "described, not called"
        return redrive, lags

    _add_parked(routes, parts, access)
    _add_repeats(routes, parts, access)
    _add_lag(routes, parts)
    return routes


def _add_parked(routes: APIRouter, parts: Parts, access: Access) -> None:
    """Add what is asked about, and done to, events that can't be handled."""
    Operator = Annotated[Principal, access.principal(SCOPE)]  # noqa: N806  # a type

    @routes.get(
        "/parked",
        summary="The keys that are held: what stopped each, and how many events wait",
        **call(ParkedKeysOut),
    )
    async def list_parked_keys(topic: Topic = None, limit: Limit = 100) -> ParkedKeysOut:
        return ParkedKeysOut.model_validate({"items": await parts()[0].keys(topic, limit)})

    @routes.get(
        "/parked/events",
        summary="The parked events of a key, in order, each as it came (500 at most)",
        **call(ParkedEventsOut, refuses=["not_parked"]),
    )
    async def list_parked_events(topic: Name, key: Name) -> ParkedEventsOut:
        rows = await parts()[0].show(topic, key)
        if not rows:
            raise _not_parked(topic, key)
        return ParkedEventsOut.model_validate({"items": [_shown(row) for row in rows]})

    @routes.post(
        "/parked/redrive",
        summary="Handle parked events again, in order; a dry run unless told otherwise",
        **call(RedriveOut, refuses=["not_parked"]),
    )
    async def redrive_events(body: RedriveIn, operator: Operator) -> RedriveOut:
        outcomes = await _redriven(parts()[0], body, _signed(operator, body.who))
        items = [msgspec.structs.asdict(outcome) for outcome in outcomes]
        return RedriveOut.model_validate({"dry_run": body.dry_run, "items": items})

    @routes.post(
        "/parked/discard",
        summary="Take one parked event out for good",
        **call(ParkedEventOut, refuses=["not_parked"]),
    )
    async def discard_event(body: DiscardIn, operator: Operator) -> ParkedEventOut:
        row = await parts()[0].discard(body.id, who=_signed(operator, body.who), why=body.why)
        if row is None:
            raise _unknown_event(body.id)
        return ParkedEventOut.model_validate(_shown(row) | {"state": "discarded"})

    @routes.get(
        "/parked/audit",
        summary="Who redrove or discarded what, when and why: the latest first",
        **call(RedrivesOut),
    )
    async def list_redrives(limit: Limit = 100) -> RedrivesOut:
        return RedrivesOut.model_validate({"items": await parts()[0].audited(limit)})


def _add_repeats(routes: APIRouter, parts: Parts, access: Access) -> None:
    """Add what lets events be sent, or read, again."""
    Operator = Annotated[Principal, access.principal(SCOPE)]  # noqa: N806  # a type

    @routes.post(
        "/resend",
        summary="Publish the outbox again from a moment on; a dry run unless told otherwise",
        **call(RepeatedOut),
    )
    async def resend_events(body: ResendIn, operator: Operator) -> RepeatedOut:
        found, who = parts()[0], _signed(operator, body.who)
        events = await refill.resend(found.database, body.since, who=who, why=body.why, dry_run=body.dry_run)
        return RepeatedOut(dry_run=body.dry_run, events=events)

    @routes.post(
        "/reread",
        summary="Read a topic again from its beginning; a dry run unless told otherwise",
        **call(RepeatedOut, refuses=["not_read"]),
    )
    async def reread_topic(body: RereadIn, operator: Operator) -> RepeatedOut:
        found, signed = parts()[0], {"who": _signed(operator, body.who), "why": body.why}
        count = await refill.reread(found.database, found.group, body.topic, **signed, dry_run=body.dry_run)
        if not count:
            raise _not_read(body.topic)
        return RepeatedOut(dry_run=body.dry_run, partitions=count)


def _add_lag(routes: APIRouter, parts: Parts) -> None:
    """Add how far behind the service is."""

    @routes.get(
        "/lag", summary="How far each partition is behind, and why it stands still, if it does", **call(LagsOut)
    )
    async def get_lag() -> LagsOut:
        found = await parts()[1].read()
        items = [msgspec.structs.asdict(each) for each in found]
        told = {"group": parts()[1].group, "lag": sum(each.lag for each in found), "items": items}
        return LagsOut.model_validate(told)


def _signed(operator: Principal, who: str) -> str:
    """Return who it was, as told; with whose token, where that is somebody else's."""
    return who if who == operator.subject else f"{who} (token of {operator.subject})"


async def _redriven(redrive: Redrive, body: RedriveIn, who: str) -> list[Outcome]:
    if body.topic is None or body.key is None:
        return await redrive.all(who=who, why=body.why, dry_run=body.dry_run)
    outcome = await redrive.one((body.topic, body.key), who=who, why=body.why, dry_run=body.dry_run)
    if not outcome.handled and not outcome.left:
        raise _not_parked(body.topic, body.key)
    return [outcome]


def _shown(row: Row) -> dict[str, Any]:
    """Return a parked event for people: its value as JSON where it is JSON, else as text, cut where it is long."""
    fields = msgspec.structs.asdict(row)
    value = fields.pop("value")
    return fields | {"key": fields.pop("key_text"), "headers": dict(fields.pop("header_texts")), **_readable(value)}


def _readable(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"value": None, "value_bytes": None}
    if len(value) > _SHOWN_BYTES:
        return {"value": value[:_SHOWN_BYTES].decode(errors="replace"), "value_bytes": len(value)}
    try:
        return {"value": json.loads(value), "value_bytes": len(value)}
    except ValueError:
        return {"value": value.decode(errors="replace"), "value_bytes": len(value)}


def _not_parked(topic: str, key: str) -> Refusal:
    return Refusal(
        "not_parked", f"{topic} 中没有键 {key} 的搁置事件。", f"{topic} has no parked events of {key}.", status=404
    )


def _not_read(topic: str) -> Refusal:
    return Refusal("not_read", f"本服务不读取 {topic}。", f"This service does not read {topic}.", status=404)


def _unknown_event(identifier: int) -> Refusal:
    return Refusal(
        "not_parked", f"没有编号为 {identifier} 的搁置事件。", f"No event {identifier} is parked.", status=404
    )
