"""The rows of what is pushed."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

STREAM_GAP: Final = "stream.gap"
STREAM_POSITION: Final = "stream.position"
WEBHOOK_DISABLED: Final = "webhook.disabled"
WEBHOOK_TEST: Final = "webhook.test"


class NewPush(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``pushes`` before it has an id. ``data`` is its JSON, as streams and webhooks send it."""

    client: str
    application_id: UUID | None
    applicant: str | None
    type: str
    data: bytes


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``pushes`` as it is read. ``id`` is its place in the one order that all readers see."""

    id: int
    created_at: datetime
    client: str
    application_id: UUID | None
    applicant: str | None
    type: str
    data: bytes


class Webhook(msgspec.Struct, kw_only=True):
    """Where a client wants to be called, and for what (``events``: nothing named is everything).

    Secrets are sealed (``signing``). ``cursor`` is the last push that was looked at for it, ``missed`` how many of its
    deliveries were given up because they were too old. It asked not to be called before ``not_before`` (Retry-After).
    ``version`` is the ETag.
    """

    webhook_id: UUID
    client: str
    url: str
    events: list[str]
    status: str = "enabled"
    disabled_because: str | None = None
    disabled_at: datetime | None = None
    secret: str
    previous_secret: str | None = None
    previous_secret_until: datetime | None = None
    cursor: int
    missed: int = 0
    not_before: datetime | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime


class Delivery(msgspec.Struct, kw_only=True):
    """One thing that is posted to one webhook: ``pending``, ``delivered``, or ``skipped`` because the client said so.

    ``attempts`` counts, and is the token of the lease. ``failing_since`` is when the attempts of now began to fail.
    """

    delivery_id: UUID
    webhook_id: UUID
    position: int
    application_id: UUID | None
    type: str
    body: bytes
    status: str = "pending"
    created_at: datetime
    attempts: int = 0
    next_try_at: datetime
    leased_until: datetime | None = None
    failing_since: datetime | None = None
    last_attempt_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = None
