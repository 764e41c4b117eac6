"""What intake shows, for the OpenAPI document: answers are written by `intake.views`, and never checked against these.

The tests hold the two together: every answer that they see has to fit, to the last field.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from intake.schemas import Applicant, Invoice, Request, Status, Usage

ClaimStatus = Literal["submitted", "verifying", "payable", "paid", "rejected"]
_NEXT = "hand this back as `cursor` for what follows; null at the end"


class TextOut(BaseModel):
    """A sentence in Simplified Chinese and in English."""

    zh: str = Field(alias="zh-CN", examples=["等待审核"])
    en: str = Field(examples=["Waits to be assessed"])


class MoneyOut(BaseModel):
    """An amount of money."""

    amount: int = Field(description="whole fen; 1 CNY = 100 fen", examples=[60_000_000])
    currency: Literal["CNY"]


class WaitOut(BaseModel):
    """What is waited for: who acts, and until when. More fields come with some waits."""

    who: str = Field(examples=["eligibility"])
    what: TextOut
    since: datetime | None
    due: datetime | None = Field(description="the deadline; null in the line for money")
    overdue: bool = Field(examples=[False])
    short_of: str | None = Field(
        default=None, description="of a waitlisted one: which limit it waits under", examples=["pool"]
    )
    on_hold: bool = Field(default=False, description="whether the pool's books are being checked")
    outstanding: MoneyOut | None = Field(default=None, description="of money that is asked back: what is still owed")


class ReasonOut(BaseModel):
    """One criterion: its clause, whether it was met, and the words for it."""

    code: str = Field(examples=["registered"])
    clause: str = Field(examples=["3.1"])
    outcome: Literal["met", "not_met", "unknown"]
    text: TextOut


class DecisionOut(BaseModel):
    """What was decided on the application, and why."""

    outcome: Literal["approved", "rejected"]
    approved: MoneyOut | None
    reasons: list[ReasonOut]
    decided_at: datetime | None = None
    because: TextOut | None = Field(default=None, description="of one that was made anew: why")


class ClarificationOut(BaseModel):
    """What an officer asked last, and the answer."""

    question: TextOut
    asked_at: datetime
    answer: str | None = Field(default=None, examples=["The period ends in December."])
    answered_at: datetime | None = None


class AppealOut(BaseModel):
    """The appeal, and what it came to."""

    grounds: str | None = Field(default=None, examples=["The register was out of date."])
    lodged_at: datetime | None = None
    upheld: bool | None = None
    decided_at: datetime | None = None
    reasons: list[ReasonOut] | TextOut | None = None
    appealed_against: DecisionOut | None = Field(default=None, description="the decision that an upheld one replaced")


class AwardFields(BaseModel):
    """What was awarded, and what is left of it."""

    award_id: UUID
    kind: Literal["voucher", "grant", "investment", "accreditation"]
    voucher_code: str | None = Field(examples=["CV-7Q2M-K9XT"])
    awarded: MoneyOut
    limited_by: Literal["approved", "cap", "envelope", "pool", "stack_limit"]
    claimed: MoneyOut
    paid: MoneyOut = Field(description="net of what was recovered")
    rest: MoneyOut
    released: MoneyOut = Field(description="what went back to the pool")
    recovered: MoneyOut
    outstanding: MoneyOut = Field(description="what is asked back and still owed")
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    expiry_announced_at: datetime | None
    status: Literal["active", "exhausted", "expired", "revoked", "closed"]


class AwardOut(AwardFields):
    """An award, and the application that it answers."""

    application_id: UUID


class PaymentOut(BaseModel):
    """The payment of a claim."""

    payment_id: UUID
    status: Literal["held", "instructed", "settled", "returned", "cancelled"]
    attempt: int | None = Field(default=None, ge=1, examples=[1])
    settled_at: datetime | None = None
    reason_code: str | None = Field(default=None, description="of a return: ISO 20022", examples=["AC04"])


class ClaimOut(BaseModel):
    """A claim against an award. Amounts are null until they are known."""

    claim_id: UUID
    award_id: UUID
    application_id: UUID
    status: ClaimStatus
    invoices: list[Invoice]
    usage: Usage | None
    submitted_at: datetime
    eligible: MoneyOut | None
    payable: MoneyOut | None
    netted: MoneyOut | None = Field(description="the part of `payable` that is kept back for what the company owes")
    payment: PaymentOut | None
    waiting_for: WaitOut | None
    reasons: list[ReasonOut]


class RecoveryOut(BaseModel):
    """Money that was paid and is asked back."""

    recovery_id: UUID
    award_id: UUID
    money: MoneyOut
    reason: str = Field(examples=["The contract was ended early."])
    due_at: datetime | None
    status: Literal["demanded", "received", "written_off"]
    received: MoneyOut
    netted: MoneyOut = Field(description="part of `received`")
    written_off: MoneyOut
    outstanding: MoneyOut


class AccountOut(BaseModel):
    """The account that is paid to: its number masked, and its holder where that is not the company."""

    name: str = Field(examples=["深圳市示例科技有限公司"])
    number: str = Field(examples=["****2222"])
    bank_code: str = Field(examples=["ICBKCNBJ"])
    erased_at: datetime | None = None


class ContactOut(BaseModel):
    """Whom officers may ask: in clear for the portal that sent it, masked for all others."""

    name: str = Field(examples=["李**"])
    email: str | None = Field(examples=["c***@example.com"])
    phone: str | None = Field(examples=["****4567"])
    erased_at: datetime | None = None


class ApplicantOut(Applicant):
    """The company that applies, as it may be shown."""

    account: AccountOut  # type: ignore[assignment]  # masked: it is no account any more
    contact: ContactOut | None = None  # type: ignore[assignment]


class ApplicationOut(BaseModel):
    """The whole state of an application."""

    application_id: UUID
    number: str = Field(examples=["CV-2026-000123"])
    scheme: str = Field(examples=["compute-voucher"])
    status: Status
    applicant: ApplicantOut
    request: Request
    documents: list[UUID]
    policy_version: str = Field(description="the version that it was submitted under", examples=["2026.1"])
    provisional: bool = Field(description="whether its rule is an assumption")
    created_at: datetime
    submitted_at: datetime | None
    updated_at: datetime
    version: int = Field(description="the number in the ETag", examples=[1])
    erased_at: datetime | None = Field(description="when account, contact and documents were erased")
    waiting_for: WaitOut | None
    clarification: ClarificationOut | None
    decision: DecisionOut | None
    appeal: AppealOut | None
    award: AwardFields | None
    claims: list[ClaimOut]
    recoveries: list[RecoveryOut]


class ApplicationsOut(BaseModel):
    """A page of applications, in the order of their making."""

    items: list[ApplicationOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class HappeningOut(BaseModel):
    """A line of the timeline."""

    at: datetime
    type: str = Field(examples=["application.submitted"])
    claim_id: UUID | None
    data: dict[str, Any] = Field(description="what the event said; more may be said one day", examples=[{}])


class TimelineOut(BaseModel):
    """What happened to an application, by time."""

    items: list[HappeningOut]
    next_cursor: None


class VoucherHolder(BaseModel):
    """Whose voucher it is."""

    uscc: str = Field(examples=["91440300708461136T"])
    name: str = Field(examples=["深圳市示例科技有限公司"])


class VoucherOut(BaseModel):
    """What a provider may know of a voucher on a contract with it."""

    voucher_code: str = Field(examples=["CV-7Q2M-K9XT"])
    status: Literal["active", "exhausted", "expired", "revoked", "closed"]
    scheme: str = Field(examples=["compute-voucher"])
    holder: VoucherHolder
    rest: MoneyOut
    valid_until: datetime


class DocumentOut(BaseModel):
    """What is known of a document."""

    document_id: UUID
    kind: str | None = Field(description="which evidence of the scheme it is", examples=["contract"])
    name: str = Field(examples=["contract.pdf"])
    media_type: str = Field(examples=["application/pdf"])
    size: int = Field(ge=0, description="bytes", examples=[48213])
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    )
    uploaded_at: datetime
    status: Literal["stored", "quarantined", "erased"]
    confirmed_by: str | None = Field(description="the provider that stands behind it", examples=["91440300192181490G"])
    confirmed_at: datetime | None
    erased_at: datetime | None


class WindowOut(BaseModel):
    """A period in which applications are taken: from `opens_at` until just before `closes_at`."""

    opens_at: datetime
    closes_at: datetime


class TierOut(BaseModel):
    """A step of support: the first that fits gives the rate and the most."""

    id: str = Field(examples=["young"])
    clause: str = Field(examples=["4.2"])
    when: str | None = Field(description="a CEL expression; null holds always")
    facts: list[str]
    rate: int = Field(description="basis points", examples=[6000])
    most: MoneyOut | None
    text: TextOut


class EvidenceOut(BaseModel):
    """A document that is asked for; `id` is the `kind` to upload it with."""

    id: str = Field(examples=["contract"])
    required: bool
    text: TextOut


class SchemeOut(BaseModel):
    """What the portal needs to offer a scheme."""

    scheme: str = Field(examples=["compute-voucher"])
    version: str = Field(examples=["2026.1"])
    provisional: bool
    title: TextOut
    rule: TextOut
    pool: str | None = Field(description="null: it gives no money", examples=["ai-package-2025"])
    kind: Literal["voucher", "grant", "investment", "accreditation"]
    rate_basis_points: int = Field(examples=[6000])
    tiers: list[TierOut]
    most: MoneyOut | None
    cap: MoneyOut | None = Field(description="for one company in a year")
    envelope: MoneyOut | None = Field(description="for the scheme in a year")
    districts: list[str] = Field(examples=[["nanshan", "longgang"]])
    windows: list[WindowOut]
    contract: Literal["required", "none"]
    review: dict[str, Any] = Field(
        description="who decides: the policy document's `review`", examples=[{"route": "automatic"}]
    )
    claims: dict[str, Any] = Field(
        description="what a claim brings: the policy document's `claims`", examples=[{"basis": "invoices"}]
    )
    validity_months: int = Field(examples=[12])
    evidence: list[EvidenceOut]
    form: dict[str, Any] = Field(description="JSON Schema of `request.details`", examples=[{"type": "object"}])
    open: bool = Field(description="whether its window is open now", examples=[True])


class SchemesOut(BaseModel):
    """The schemes in force."""

    items: list[SchemeOut]
    next_cursor: None
