"""The bodies of officers' calls and what they are shown: shapes and limits, with the sentence that a caller needs."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.common import Text
from contracts.money import LARGEST_EXACT_INTEGER
from eligibility.views import ReasonOut, TextOut
from kit.fields import Whole


class Strict(BaseModel):
    """Unknown fields are refused: a misspelt one must not be silently left out."""

    model_config = ConfigDict(extra="forbid")


class TextIn(Strict):
    """Words that the applicant is shown: in Simplified Chinese and in English."""

    zh: str = Field(alias="zh-CN", min_length=1, max_length=2000)
    en: str = Field(min_length=1, max_length=2000)

    def text(self) -> Text:
        return Text(self.zh, self.en)


class DecisionIn(Strict):
    """What a person decides, and why."""

    outcome: Literal["approve", "reject"]
    amount: Whole | None = Field(
        default=None,
        gt=0,
        le=LARGEST_EXACT_INTEGER,
        description="whole fen: what to approve at most, where that is less than what the policy gives",
    )
    reasons: TextIn


class QuestionIn(Strict):
    """What the applicant is asked, in both languages; the portal shows it, and they answer there."""

    question: TextIn


class ObjectionIn(Strict):
    """What somebody holds against an approval. It is kept for good and shown to officers: leave out who said it."""

    grounds: str = Field(min_length=3, max_length=4000)


class ReassessmentIn(Strict):
    """Why a decision is to be made anew. The applicant is told it with the new decision."""

    reasons: TextIn


class InterestIn(Strict):
    """An interest in a company: from then on its applications are out of the person's reach, for good."""

    applicant: str = Field(
        pattern="^[0-9A-HJ-NP-RTUWXY]{18}$",
        description="unified social credit code",
        examples=["91440300708461136T"],
    )
    why: str = Field(min_length=3, max_length=500)


class TaskOut(BaseModel):
    """Something that waits for a person."""

    task_id: UUID
    kind: Literal["review", "facts", "acceptance", "appeal"] = Field(
        description="an application's review; facts that can't be had right now; a claim's acceptance; an appeal"
    )
    application_id: UUID
    claim_id: UUID | None
    scheme: str
    applicant: str
    opened_at: datetime
    due_at: datetime = Field(description="until when the policy wants it decided")
    holder: str | None = Field(description="who works on it")
    claimed_at: datetime | None
    closed_at: datetime | None
    outcome: str | None


class TasksOut(BaseModel):
    items: list[TaskOut]
    next_cursor: str | None = Field(description="hand this back as `cursor` for what follows; null at the end")


class VoteOut(BaseModel):
    officer: str
    approve: bool
    amount: int | None
    reasons: TextOut
    at: datetime


class TaskDetailOut(TaskOut):
    """A task with what a person decides on. ``votes`` are those that count: given on the facts as they are now."""

    submitted: dict[str, Any]
    claim: dict[str, Any] | None
    grounds: str | None = Field(description="an appeal's")
    facts: dict[str, Any] = Field(description="what the registers said, and under `statements` what was said since")
    reasons: list[ReasonOut]
    computed: int | None = Field(description="whole fen: what the policy gives; null while that is not known")
    needed: int | None = Field(description="how many different persons have to decide")
    votes: list[VoteOut]


class VotedOut(BaseModel):
    """A decision was kept: how many count now, of how many that are needed."""

    task_id: UUID
    votes: int
    needed: int


class AskedOut(BaseModel):
    application_id: UUID
    waits_for: str = Field(description="who acts next: the applicant")


class ReopenedOut(BaseModel):
    application_id: UUID
    status: str


class ObjectionOut(BaseModel):
    application_id: UUID
    lodged_at: datetime


class InterestOut(BaseModel):
    officer: str
    applicant: str
    declared_at: datetime


class PublishedOut(BaseModel):
    scheme: str
    version: str
    content_hash: str = Field(description="SHA-256 of the document as written")


class ScoreIn(Strict):
    """A panellist's score, in whole points, and why."""

    score: Whole = Field(
        ge=0,
        le=1000,
    )
    comment: str = Field(min_length=3, max_length=2000)


class ScoredOut(BaseModel):
    application_id: UUID
    score: int


class CallEntryOut(BaseModel):
    """An application of a call, as a panellist sees it: what was handed in, and one's own score."""

    application_id: UUID
    submitted: dict[str, Any]
    scores: int = Field(description="how many persons have scored it")
    own_score: int | None


class CallOut(BaseModel):
    scheme: str
    version: str
    closes_at: datetime
    ranked: bool
    items: list[CallEntryOut]


class PlaceOut(BaseModel):
    application_id: UUID
    rank: int
    of: int
    points: int
    allocated: int = Field(description="whole fen")
    above_threshold: bool
    outliers: list[str]


class RankingOut(BaseModel):
    """A ranking: from the best to the last."""

    scheme: str
    version: str
    places: list[PlaceOut]


class SumOut(BaseModel):
    supported: int
    amount: int = Field(description="whole fen")


class PairOut(BaseModel):
    """What happened, and what would have."""

    past: SumOut
    draft: SumOut


class ChangeOut(BaseModel):
    """One application that would have fared otherwise; amounts in fen."""

    application_id: str
    applicant: str
    district: str
    past: int
    draft: int
    because: list[str] = Field(description="the draft's criteria that were not met")


class SimulationOut(BaseModel):
    """A draft over all past applications of its scheme."""

    scheme: str
    version: str
    applications: int
    winners: int
    losers: int
    unknown: dict[str, int] = Field(description="by criterion: how many lack a fact; they count as they were")
    total: PairOut
    by_month: dict[str, PairOut]
    by_district: dict[str, PairOut]
    by_size: dict[str, PairOut]
    envelope_exhausted_on: dict[str, dict[str, str]]
    pool_exhausted_on: dict[str, date | None] | None = Field(
        description="past, draft: the day on which the pool is used up; null where `appropriated` was not given"
    )
    changes: list[ChangeOut]


class ReplayLineOut(BaseModel):
    """A line of the answer: a decision that differs, or at the end the count of all."""

    application_id: str | None = None
    scheme: str | None = None
    policy_version: str | None = None
    was: dict[str, Any] | None = None
    is_: dict[str, Any] | None = Field(default=None, alias="is")
    decisions: int | None = None
    identical: int | None = None


class AuditLineOut(BaseModel):
    id: int
    at: datetime
    who: str
    what: str
    application_id: UUID | None
    claim_id: UUID | None
    task_id: UUID | None
    facts: str | None = Field(description="SHA-256 of the facts that were seen")
    data: dict[str, Any]


class AuditOut(BaseModel):
    items: list[AuditLineOut]
    next_cursor: str | None
