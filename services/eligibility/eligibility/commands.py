"""What officers, panels and policy editors may ask for over HTTP, each with who asks and the key of the request."""

from uuid import UUID

import msgspec

from contracts.common import Text
from eligibility.policies import Document
from kit.idempotency import Key


class HoldTask(msgspec.Struct, frozen=True, kw_only=True):
    """Take a task, so that nobody else decides it meanwhile; or let it go."""

    key: Key | None
    traceparent: str | None
    by: str
    task_id: UUID
    hold: bool


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """Vote on a task that one holds. ``amount`` (fen) is what to approve at most, where that is less than computed."""

    key: Key | None
    traceparent: str | None
    by: str
    task_id: UUID
    approve: bool
    amount: int | None
    reasons: Text


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the applicant something, on a task that one holds."""

    key: Key | None
    traceparent: str | None
    by: str
    task_id: UUID
    question: Text


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """Keep an objection to an approval that is shown in public."""

    key: Key | None
    traceparent: str | None
    by: str
    application_id: UUID
    grounds: str


class Reassess(msgspec.Struct, frozen=True, kw_only=True):
    """Have a decided application decided anew."""

    key: Key | None
    traceparent: str | None
    by: str
    application_id: UUID
    reasons: Text


class DeclareInterest(msgspec.Struct, frozen=True, kw_only=True):
    """Say that one has an interest in a company: its applications are out of reach from now on."""

    key: Key | None
    traceparent: str | None
    by: str
    applicant: str
    why: str


class PublishPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Publish a version of a scheme's policy document."""

    key: Key | None
    traceparent: str | None
    by: str
    document: Document


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Score an application of a ranking call; a person's later score replaces the earlier."""

    key: Key | None
    traceparent: str | None
    by: str
    application_id: UUID
    score: int
    comment: str


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """Rank a call that has closed, and allocate its budget: all at once, and once."""

    key: Key | None
    traceparent: str | None
    by: str
    scheme: str
    version: str


Command = HoldTask | Decide | Ask | Object | Reassess | DeclareInterest | PublishPolicy | Score | Rank
