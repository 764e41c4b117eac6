"""What the API shows: response models, so that the OpenAPI document says what comes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.codec import to_builtins
from eligibility.decisions import replay
from eligibility.records import Assessment
from eligibility.shelf import Shelf
from eligibility.store.hearings import Earlier


class TextOut(BaseModel):
    zh: str = Field(alias="zh-CN")
    en: str


class MoneyOut(BaseModel):
    amount: int = Field(description="whole fen")
    currency: Literal["CNY"] = "CNY"


class ReasonOut(BaseModel):
    """One criterion of the decision: what was asked for, in which clause, and whether it was met."""

    code: str
    clause: str
    outcome: Literal["met", "not_met", "unknown"]
    text: TextOut


class AssessmentOut(BaseModel):
    application_id: UUID
    applicant: str = Field(description="unified social credit code")
    scheme: str
    status: Literal["pending", "waiting", "decided", "withdrawn"]
    outcome: Literal["approved", "rejected"] | None
    policy_version: str = Field(description="the version that decides")
    submitted_at: datetime
    decided_at: datetime | None
    waits_for: str | None = Field(
        description="who has to act while it waits: registers, officer, applicant, panel; or public_notice"
    )
    due_at: datetime | None = Field(description="until when it may wait at most; null when nothing is waited for")
    overdue: bool = Field(description="whether that has passed")
    reasons: list[ReasonOut]


class ReplayOut(BaseModel):
    """The decision, made again just now on the frozen facts under the same policy version."""

    identical: bool = Field(description="whether it is, to the letter, what was decided then")
    outcome: str
    approved: MoneyOut | None
    cap_holder: str | None
    reasons: list[ReasonOut]


class EarlierOut(BaseModel):
    """A decision that was made before a correction, with its replay."""

    because: str = Field(description="why it was opened again, such as `appeal`")
    outcome: str
    approved: MoneyOut | None
    decided_at: datetime
    reasons: list[ReasonOut]
    facts: dict[str, dict[str, Any]]
    replay: ReplayOut | None


class AssessmentDetailOut(AssessmentOut):
    approved: MoneyOut | None
    cap_holder: str | None = Field(description="whose cap the award uses: the group of related companies")
    facts: dict[str, dict[str, Any]] | None = Field(description="what the registers said, with the time of each answer")
    attempts: int = Field(description="tries without a decision so far")
    replay: ReplayOut | None
    earlier: list[EarlierOut] = Field(description="what was decided before, from the first on")


class AssessmentsOut(BaseModel):
    items: list[AssessmentOut]
    next_cursor: str | None = Field(description="hand this back as `cursor` for what follows; null at the end")


class PolicyOut(BaseModel):
    """A published version of a scheme's policy document; it never changes."""

    scheme: str
    version: str
    content_hash: str = Field(description="SHA-256 of the document as written")
    published_at: datetime
    document: dict[str, Any]


class PoliciesOut(BaseModel):
    items: list[PolicyOut]


def summary(assessment: Assessment) -> dict[str, Any]:
    """Return what a list shows of an assessment."""
    submitted = assessment.submitted
    return {
        "application_id": assessment.application_id,
        "applicant": submitted.applicant,
        "scheme": submitted.scheme,
        "status": assessment.status,
        "outcome": assessment.outcome,
        "policy_version": assessment.policy_version,
        "submitted_at": submitted.submitted_at,
        "decided_at": assessment.decided_at,
        "waits_for": assessment.waits_for,
        "due_at": assessment.due_at,
        "overdue": assessment.missed_at is not None,
        "reasons": to_builtins(assessment.reasons or ()),
    }


def detail(assessment: Assessment, earlier: Iterable[Earlier], shelf: Shelf) -> AssessmentDetailOut:
    """Return everything about an assessment, with the decisions before it, and their replays."""
    more = {
        "approved": to_builtins(assessment.approved),
        "cap_holder": assessment.cap_holder,
        "facts": assessment.facts,
        "attempts": assessment.attempts,
        "replay": _replay(assessment, shelf),
        "earlier": [_earlier(one, shelf) for one in earlier],
    }
    return AssessmentDetailOut.model_validate(summary(assessment) | more)


def _earlier(one: Earlier, shelf: Shelf) -> dict[str, Any]:
    decided = one.decided
    return {
        "because": one.because,
        "outcome": decided.outcome,
        "approved": to_builtins(decided.approved),
        "decided_at": decided.decided_at,
        "reasons": to_builtins(decided.reasons),
        "facts": decided.facts,
        "replay": _replay(decided, shelf),
    }


def _replay(assessment: Assessment, shelf: Shelf) -> dict[str, Any] | None:
    replayed = replay(shelf, assessment)
    if replayed is None:
        return None
    again, identical = replayed
    return {
        "identical": identical,
        "outcome": again.outcome,
        "approved": to_builtins(again.approved),
        "cap_holder": again.cap_holder,
        "reasons": to_builtins(again.reasons),
    }
