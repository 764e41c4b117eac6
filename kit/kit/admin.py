"""What an operator asks of every service: which events are parked and why, redrive or discard them, how far behind.

All of it is for holders of the scope `ops`. `who` and `why` are kept as they are given; where the token is another's,
its subject is kept beside it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from contracts.refusal import Refusal
from kit import refill
from kit.access import Access, Principal
from kit.lag import Lags
from kit.parking import Row
from kit.redrive import Outcome, Redrive

TAG: Final = "admin"
SCOPE: Final = "ops"
_SHOWN_BYTES: Final = 64 * 1024
_AT_ONCE: Final = 2  # these calls use the loops' connections, and must leave them room

Topic = Annotated[str | None, Query(description="only this topic")]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many items")]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class Items(BaseModel):
    items: list[dict[str, Any]]


class RedriveIn(BaseModel):
    """One key by `topic` and `key`, or `all` of them. A dry run does everything, says how it went, and undoes it."""

    topic: str | None = None
    key: str | None = None
    all: bool = False
    dry_run: bool = True
    who: Text = Field(description="who asks for it; kept in the audit")
    why: Text = Field(description="what was mended, or which ticket says so; kept in the audit")

    @model_validator(mode="after")
    def _one_or_all(self) -> "RedriveIn":
        one = self.topic is not None and self.key is not None
        if one == self.all or (self.topic is None) != (self.key is None):
            raise ValueError("give topic and key, or all")
        return self


class RedriveOut(BaseModel):
    """What was, or would be, handled, key by key. At most 500 events of a key are taken up by one call."""

    dry_run: bool
    items: list[dict[str, Any]]


class DiscardIn(BaseModel):
    """A parked event is taken out for good; its row stays, with who and why. Those behind it wait for a redrive."""

    id: int = Field(description="the event's id, as `/admin/parked/events` shows it")
    who: Text
    why: Text


class ResendIn(BaseModel):
    """For topics that were lost, or fell behind their writer. Readers know what they have handled before."""

    since: AwareDatetime = Field(description="the first moment to send again; the outbox is kept for some days")
    dry_run: bool = True
    who: Text
    why: Text


class RereadIn(BaseModel):
    """For a topic that was made anew. What was handled before has no second effect while the inbox remembers it."""

    topic: str
    dry_run: bool = True
    who: Text
    why: Text


class RepeatedOut(BaseModel):
    dry_run: bool
    events: int | None = Field(default=None, description="events that are, or would be, published again")
    partitions: int | None = Field(default=None, description="partitions that are, or would be, read again")


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

    @routes.get("/parked", summary="The keys that are held: what stopped each, and how many events wait")
    async def parked(topic: Topic = None, limit: Limit = 100) -> Items:
        return Items(items=await parts()[0].keys(topic, limit))

    @routes.get("/parked/events", summary="The parked events of a key, in order, each as it came (500 at most)")
    async def parked_events(topic: str, key: str) -> Items:
        rows = await parts()[0].show(topic, key)
        if not rows:
            raise _not_parked(topic, key)
        return Items(items=[_shown(row) for row in rows])

    @routes.post("/parked/redrive", summary="Handle parked events again, in order; a dry run unless told otherwise")
    async def start_redrive(body: RedriveIn, operator: Operator) -> RedriveOut:
        outcomes = await _redriven(parts()[0], body, _signed(operator, body.who))
        return RedriveOut(dry_run=body.dry_run, items=[msgspec.structs.asdict(outcome) for outcome in outcomes])

    @routes.post("/parked/discard", summary="Take one parked event out for good")
    async def discard(body: DiscardIn, operator: Operator) -> dict[str, Any]:
        row = await parts()[0].discard(body.id, who=_signed(operator, body.who), why=body.why)
        if row is None:
            raise _unknown_event(body.id)
        return _shown(row) | {"state": "discarded"}

    @routes.get("/parked/audit", summary="Who redrove or discarded what, when and why: the latest first")
    async def audit(limit: Limit = 100) -> Items:
        return Items(items=await parts()[0].audited(limit))

    @routes.post("/resend", summary="Publish the outbox again from a moment on; a dry run unless told otherwise")
    async def resend(body: ResendIn, operator: Operator) -> RepeatedOut:
        found, who = parts()[0], _signed(operator, body.who)
        events = await refill.resend(found.database, body.since, who=who, why=body.why, dry_run=body.dry_run)
        return RepeatedOut(dry_run=body.dry_run, events=events)

    @routes.post("/reread", summary="Read a topic again from its beginning; a dry run unless told otherwise")
    async def reread(body: RereadIn, operator: Operator) -> RepeatedOut:
        found, signed = parts()[0], {"who": _signed(operator, body.who), "why": body.why}
        count = await refill.reread(found.database, found.group, body.topic, **signed, dry_run=body.dry_run)
        if not count:
            raise _not_read(body.topic)
        return RepeatedOut(dry_run=body.dry_run, partitions=count)

    @routes.get("/lag", summary="How far each partition is behind, and why it stands still, if it does")
    async def lag() -> dict[str, Any]:
        found = await parts()[1].read()
        items = [msgspec.structs.asdict(each) for each in found]
        return {"group": parts()[1].group, "lag": sum(each.lag for each in found), "items": items}

    return routes


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
