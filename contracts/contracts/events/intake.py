"""What intake tells on ``intake.applications``, keyed by applicant."""

from typing import Any, ClassVar

import msgspec

from contracts.common import Company, DocumentReference, Instant, Invoice, Request, Usage
from contracts.events.base import ApplicationEvent, ClaimEvent


class ApplicationSubmitted(ApplicationEvent, frozen=True, kw_only=True):
    """An application was handed in; ``submitted_at`` is its place in every queue."""

    TYPE: ClassVar[str] = "application.submitted"

    number: str
    district: str
    policy_version: str
    company: Company
    request: Request
    documents: tuple[DocumentReference, ...] = ()
    submitted_at: Instant


class ApplicationWithdrawn(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant took the application back; an award that was issued on it is revoked."""

    TYPE: ClassVar[str] = "application.withdrawn"

    reason: str = ""


class ApplicationLapsed(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant did not answer in time."""

    TYPE: ClassVar[str] = "application.lapsed"


class ClarificationAnswered(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant answered what was asked."""

    TYPE: ClassVar[str] = "clarification.answered"

    answer: str
    documents: tuple[DocumentReference, ...] = ()


class AppealLodged(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant asks for a rejection to be looked at again, which is possible once."""

    TYPE: ClassVar[str] = "appeal.lodged"

    grounds: str
    documents: tuple[DocumentReference, ...] = ()


class ClaimSubmitted(ClaimEvent, frozen=True, kw_only=True):
    """The applicant claims against an award, with invoices and what proves their use."""

    TYPE: ClassVar[str] = "claim.submitted"

    district: str
    invoices: tuple[Invoice, ...]
    usage: Usage | None = None
    milestone: str | None = None
    documents: tuple[DocumentReference, ...] = ()
    details: dict[str, Any] = msgspec.field(default_factory=dict)
    submitted_at: Instant


class ClaimWithdrawn(ClaimEvent, frozen=True, kw_only=True):
    """The applicant took a claim back before it was payable."""

    TYPE: ClassVar[str] = "claim.withdrawn"
