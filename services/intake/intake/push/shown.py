"""What is shown of webhooks and deliveries, for the OpenAPI document: answers are written by `push.views`."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

STREAM: Final[dict[str, Any]] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One server-sent event (WHATWG HTML); `data` is JSON.",
            "properties": {
                "id": {"type": "string", "description": "hand the last one back as Last-Event-ID"},
                "event": {"type": "string", "description": "what happened; let those pass that you do not know"},
                "data": {"type": "string"},
                "retry": {"type": "integer", "description": "milliseconds to wait before coming back"},
            },
        },
        "example": {
            "id": "1042",
            "event": "award.issued",
            "data": '{"application_id":"01a20408-5fa5-7442-b3c5-d03ff5eb2e7b","status":"awarded"}',
        },
    }
}


class WebhookOut(BaseModel):
    """Where changes are posted to. Its secret is shown once: when it is made."""

    webhook_id: UUID
    url: str = Field(examples=["https://portal.example.gov.cn/drawdown"])
    events: list[str] = Field(description="types that it is called for; none named is all", examples=[["claim.*"]])
    status: Literal["enabled", "disabled"]
    disabled_because: str | None = Field(
        description="`client` switched it off, or what its last answers were", examples=[None]
    )
    disabled_at: datetime | None
    previous_secret_until: datetime | None = Field(description="until when the secret before this one signs too")
    missed: int = Field(ge=0, description="changes that were dropped because they waited too long", examples=[0])
    version: int = Field(description="the number in the ETag", examples=[1])
    created_at: datetime
    updated_at: datetime


class OpenedWebhookOut(WebhookOut):
    """A webhook with its secret, where that is new."""

    secret: str | None = Field(
        default=None,
        description="what calls are signed with (Standard Webhooks); it is not shown again",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class WebhooksOut(BaseModel):
    """All webhooks of a client."""

    items: list[WebhookOut]
    next_cursor: None


class DeliveryOut(BaseModel):
    """One change on its way to a webhook. Its id is the `webhook-id` of each of its calls."""

    delivery_id: UUID
    webhook_id: UUID
    type: str = Field(examples=["award.issued"])
    application_id: UUID | None
    position: str = Field(description="the id that the change has in the stream of events", examples=["1042"])
    status: Literal["pending", "delivered", "skipped"]
    attempts: int = Field(ge=0, examples=[1])
    next_try_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None = Field(description="the HTTP status that it was answered with last", examples=[200])
    last_error: str | None = Field(examples=[None])
    delivered_at: datetime | None
    created_at: datetime


class DeliveriesOut(BaseModel):
    """A page of deliveries, the latest first."""

    items: list[DeliveryOut]
    next_cursor: UUID | None = Field(description="hand this back as `cursor` for what follows; null at the end")
