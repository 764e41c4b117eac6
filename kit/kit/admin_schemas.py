"""The bodies of the operators' calls (``admin``): what is sent, and what is shown."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from contracts.money import LARGEST_EXACT_INTEGER
from kit.fields import Flag, Moment, Whole
from kit.validation import FieldError

Text = Annotated[str, Field(min_length=1, max_length=500, examples=["ticket 17"])]
Name = Annotated[str, Field(max_length=500, examples=["intake.applications"])]


class ParkedKeyOut(BaseModel):
    """A key that is held: its first event, what stopped it, and how many wait."""

    topic: str = Field(examples=["intake.applications"])
    key: str = Field(examples=["91440300708461136T"])
    family: Literal["invalid", "refused", "not_yet", "failed", "behind"]
    reason: str = Field(examples=["no policy compute-voucher 2026.1 yet"])
    type: str | None = Field(examples=["drawdown.application.submitted.v1"])
    parked_at: datetime
    next_try_at: datetime | None
    attempts: int = Field(examples=[3])
    events: int = Field(description="how many of the key wait", examples=[2])


class ParkedKeysOut(BaseModel):
    items: list[ParkedKeyOut]


class ParkedEventOut(BaseModel):
    """A parked event as it came, and what became of it."""

    id: int
    topic: str = Field(examples=["intake.applications"])
    partition: int
    offset: int
    key: str | None = Field(examples=["91440300708461136T"])
    event_id: UUID | None
    type: str | None = Field(examples=["drawdown.application.submitted.v1"])
    headers: dict[str, Any] = Field(examples=[{}])
    value: Any = Field(description="JSON where it is JSON, else text, cut where it is long", examples=[{}])
    value_bytes: int | None
    family: Literal["invalid", "refused", "not_yet", "failed", "behind"]
    reason: str = Field(examples=["no policy compute-voucher 2026.1 yet"])
    error_class: str | None = Field(examples=["NotYetError"])
    attempts: int
    state: Literal["parked", "redriven", "discarded"]
    parked_at: datetime
    next_try_at: datetime | None
    settled_at: datetime | None
    settled_by: str | None
    settled_why: str | None


class ParkedEventsOut(BaseModel):
    items: list[ParkedEventOut]


class RedriveLineOut(BaseModel):
    """A redrive, or an event that was taken out."""

    id: int
    at: datetime
    who: str = Field(examples=["operator"])
    why: str = Field(examples=["the policy was published"])
    action: str = Field(examples=["redrive"])
    topic: str | None
    key: str | None
    handled: int | None
    stopped_by: str | None


class RedrivesOut(BaseModel):
    items: list[RedriveLineOut]


class LagOut(BaseModel):
    """One partition: the next offset to handle, the offset after the last event, why it stands still if it does."""

    topic: str = Field(examples=["intake.applications"])
    partition: int
    next_offset: int
    end_offset: int
    lag: int
    blocked: str | None


class LagsOut(BaseModel):
    group: str = Field(examples=["intake"])
    lag: int = Field(description="events that wait to be handled, over all partitions")
    items: list[LagOut]


class KeyOutcomeOut(BaseModel):
    """What a redrive of one key did, or would do: how many were handled, how many are left, what stopped it."""

    topic: str = Field(examples=["intake.applications"])
    key: str = Field(examples=["91440300708461136T"])
    handled: int
    left: int
    stopped_by: str | None


class RedriveIn(BaseModel):
    """One key by `topic` and `key`, or `all` of them. A dry run does everything, says how it went, and undoes it."""

    topic: Name | None = None
    key: Name | None = None
    all: Flag = False
    dry_run: Flag = True
    who: Text = Field(description="who asks for it; kept in the audit")
    why: Text = Field(description="what was mended, or which ticket says so; kept in the audit")

    @model_validator(mode="after")
    def _one_or_all(self) -> "RedriveIn":
        one = self.topic is not None and self.key is not None
        if one == self.all or (self.topic is None) != (self.key is None):
            raise FieldError("须给出 topic 和 key，或 all", "give topic and key, or all")
        return self


class RedriveOut(BaseModel):
    """What was, or would be, handled, key by key. At most 500 events of a key are taken up by one call."""

    dry_run: bool
    items: list[KeyOutcomeOut]


class DiscardIn(BaseModel):
    """A parked event is taken out for good; its row stays, with who and why. Those behind it wait for a redrive."""

    id: Whole = Field(ge=1, le=LARGEST_EXACT_INTEGER, description="the event's id, as `/admin/parked/events` shows it")
    who: Text
    why: Text


class ResendIn(BaseModel):
    """For topics that were lost, or fell behind their writer. Readers know what they have handled before."""

    since: Moment = Field(description="the first moment to send again; the outbox is kept for some days")
    dry_run: Flag = True
    who: Text
    why: Text


class RereadIn(BaseModel):
    """For a topic that was made anew. What was handled before has no second effect while the inbox remembers it."""

    topic: Name
    dry_run: Flag = True
    who: Text
    why: Text


class RepeatedOut(BaseModel):
    dry_run: bool
    events: int | None = Field(default=None, description="events that are, or would be, published again")
    partitions: int | None = Field(default=None, description="partitions that are, or would be, read again")
