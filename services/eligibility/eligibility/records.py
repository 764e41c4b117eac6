"""The rows that a transaction works on, in memory, and the working set that holds a batch's.

A handler changes the working set; ``store`` loaded it under locks, and writes back what was touched.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from contracts.common import Reason
from contracts.events import ApplicationSubmitted, ClaimSubmitted
from contracts.money import Money
from eligibility.appeals import Lodged
from eligibility.claim_rules import InvoiceKey
from eligibility.hearing import Statement
from eligibility.shelf import Shelf, VersionKey
from kit.outbox import Announcements


class Assessment(msgspec.Struct, kw_only=True):
    """One application under assessment, or assessed. ``policy_version`` is the one that decides.

    One that is waiting with an ``outcome`` is being decided anew; that outcome stands meanwhile. ``approved_at`` is
    when it was approved first: what its claims may count begins there.

    ``next_try_at`` is when the registers are asked again, ``due_at`` until when it may wait at most (``waits``);
    ``left_seconds`` is what an officer's clock has left while it stands still.
    """

    application_id: UUID
    policy_version: str
    submitted: ApplicationSubmitted
    status: Literal["pending", "waiting", "decided", "withdrawn"] = "pending"
    traceparent: str | None = None
    facts: dict[str, dict[str, Any]] | None = None
    outcome: Literal["approved", "rejected"] | None = None
    reasons: tuple[Reason, ...] | None = None
    approved: Money | None = None
    cap_holder: str | None = None
    decided_at: datetime | None = None
    waits_for: str | None = None
    next_try_at: datetime
    attempts: int = 0
    due_at: datetime | None = None
    missed_at: datetime | None = None
    left_seconds: float | None = None
    approved_at: datetime | None = None

    @property
    def result(self) -> str:
        """Return what it came to, or its status while it has come to nothing."""
        return self.outcome if self.status == "decided" and self.outcome else self.status

    @property
    def version(self) -> VersionKey:
        return self.submitted.scheme, self.policy_version


class Claim(msgspec.Struct, kw_only=True):
    """A claim that was verified or rejected."""

    claim_id: UUID
    submitted: ClaimSubmitted
    status: Literal["waiting", "verified", "rejected", "withdrawn"]
    eligible: Money | None
    reasons: tuple[Reason, ...]
    decided_at: datetime


class Task(msgspec.Struct, kw_only=True):
    """Something that waits for a person, until ``due_at``. ``holder`` is who works on it; nobody else decides then."""

    task_id: UUID
    kind: Literal["review", "facts", "acceptance", "appeal"]
    application_id: UUID
    claim_id: UUID | None = None
    scheme: str
    applicant: str
    opened_at: datetime
    due_at: datetime
    holder: str | None = None
    claimed_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None

    @property
    def subject(self) -> UUID:
        """Return what is decided: the claim, otherwise the application."""
        return self.claim_id or self.application_id


Group = Mapping[UUID, Assessment]


class Lease(msgspec.Struct, frozen=True):
    """Applications that one process may assess until then."""

    token: UUID
    until: datetime
    applications: Sequence[Assessment]


class Taken(Announcements):
    """What a batch says, the lease under which it has taken applications in, and those that it has tried to decide."""

    lease: Lease | None = None
    tried: Sequence[Assessment] = ()
    tried_from: int = 0
    """When it began to try, in nanoseconds of the clock."""


class WorkingSet(msgspec.Struct, kw_only=True):
    """What one batch of events works on.

    ``holders`` has every invoice of the batch's claims: the claim that it counts in, or None while it is free. All
    of them are locked, so that what is decided on them still holds when the batch commits. ``reserved`` has the claim
    that stands in the row of each until then.
    """

    now: datetime
    shelf: Shelf
    assessments: dict[UUID, Assessment]
    claims: dict[UUID, Claim]
    holders: dict[InvoiceKey, UUID | None]
    reserved: dict[InvoiceKey, UUID]
    announcements: Taken
    submitted: set[UUID] = set()
    withdrawn: set[UUID] = set()
    changed_claims: set[UUID] = set()
    freed_claims: set[UUID] = set()
    tasks: list[Task] = []
    statements: list[tuple[UUID, Statement]] = []
    appeals: dict[UUID, Lodged] = {}
    accredited: set[str] = set()

    @property
    def is_more_than_new(self) -> bool:
        """Whether anything is to be stored but new applications."""
        claims = (self.holders, self.changed_claims, self.freed_claims)
        return any((*claims, self.withdrawn, self.tasks, self.statements, self.appeals))
