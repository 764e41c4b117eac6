"""What disbursement shows of its rows, for the OpenAPI document: described, not checked, but by the tests."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

_NEXT = "hand this back as `cursor` for what follows; null at the end"
_COMPANY = "unified social credit code"

AwardKind = Literal["voucher", "grant", "investment", "accreditation"]
LimitedBy = Literal["approved", "cap", "envelope", "pool", "stack_limit"]


class MoneyOut(BaseModel):
    """An amount of money."""

    amount: int = Field(description="whole fen; 1 CNY = 100 fen", examples=[60_000_000])
    currency: Literal["CNY"] = "CNY"


class PoolOut(BaseModel):
    """A pool and its books: appropriated = available + committed + obligated + disbursed, to the fen."""

    pool: str = Field(examples=["ai-package-2025"])
    name: dict[str, str] = Field(examples=[{"zh-CN": "人工智能与机器人政策包", "en": "AI and robotics package"}])
    version: int = Field(description="number of transfers posted to this pool")
    hash: str = Field(description="hash of the pool's last transfer")
    on_hold: str | None = Field(description="why nothing new is awarded from it; null when it is open")
    appropriated: MoneyOut
    available: MoneyOut
    committed: MoneyOut
    obligated: MoneyOut
    disbursed: MoneyOut


class PoolsOut(BaseModel):
    """All pools."""

    items: list[PoolOut]


class EnvelopeOut(BaseModel):
    """What a scheme may commit in a fiscal year, and has."""

    scheme: str = Field(examples=["compute-voucher"])
    fiscal_year: int = Field(examples=[2026])
    pool: str = Field(examples=["ai-package-2025"])
    appropriated: MoneyOut
    available: MoneyOut
    committed: MoneyOut
    obligated: MoneyOut
    disbursed: MoneyOut


class EnvelopesOut(BaseModel):
    """Every envelope in use."""

    items: list[EnvelopeOut]
    next_cursor: None


class BalancesOut(BaseModel):
    """A pool's four states after a transfer, in fen."""

    available: int
    committed: int
    obligated: int
    disbursed: int


class TransferOut(BaseModel):
    """One move of money, exactly as it was published: see `transfer.posted` among the events."""

    occurred_at: datetime
    transfer_id: UUID
    pool: str = Field(examples=["ai-package-2025"])
    version: int
    previous_hash: str
    hash: str
    scheme: str | None
    district: str | None
    source: Literal["appropriated", "available", "committed", "obligated", "disbursed"] = Field(alias="from")
    to: Literal["appropriated", "available", "committed", "obligated", "disbursed"]
    money: MoneyOut
    reason: str = Field(description="the event that caused it", examples=["award.issued"])
    application_id: UUID | None
    award_id: UUID | None
    claim_id: UUID | None
    payment_id: UUID | None
    recovery_id: UUID | None
    order_id: UUID | None
    balances: BalancesOut
    posted_at: datetime


class TransfersOut(BaseModel):
    """A page of a pool's transfers, by version."""

    items: list[TransferOut]
    next_cursor: str | None = Field(description=_NEXT)


class AwardOut(BaseModel):
    """An award: awarded = rest + claimed + released."""

    award_id: UUID
    application_id: UUID
    applicant: str = Field(description=_COMPANY, examples=["91440300708461136T"])
    scheme: str = Field(examples=["compute-voucher"])
    fiscal_year: int = Field(examples=[2026])
    pool: str | None = Field(description="null: it gives no money")
    district: str = Field(examples=["nanshan"])
    policy_version: str = Field(examples=["2026.1"])
    kind: AwardKind
    voucher_code: str | None
    rate: int = Field(description="basis points", examples=[6000])
    approved: MoneyOut
    awarded: MoneyOut
    claimed: MoneyOut
    paid: MoneyOut
    rest: MoneyOut
    released: MoneyOut = Field(description="what went back to the pool")
    recovered: MoneyOut = Field(description="part of `released`: what was paid and came back")
    corrected_to: MoneyOut | None = Field(description="what a re-assessment approved; null without one")
    excess: int = Field(description="fen that were paid beyond a corrected approval and not demanded back yet")
    limited_by: LimitedBy
    status: Literal["active", "exhausted", "expired", "revoked", "closed"]
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime
    contract_provider: str | None
    contract_number: str | None
    expires_at: datetime | None
    noticed_at: datetime | None
    next_step_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None


class AwardsOut(BaseModel):
    """A page of awards, in the order of their ids."""

    items: list[AwardOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class ClaimOut(BaseModel):
    """A verified claim and what it pays."""

    claim_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str = Field(description=_COMPANY, examples=["91440300708461136T"])
    eligible: MoneyOut
    payable: MoneyOut
    limited_by: str = Field(examples=["rate"])
    status: str = Field(examples=["payable"])
    verified_at: datetime


class ClaimsOut(BaseModel):
    """A page of claims, in the order of their ids."""

    items: list[ClaimOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class ClockOut(BaseModel):
    """Until when something may wait, and what follows."""

    due_at: datetime | None
    next_step_at: datetime | None
    missed_at: datetime | None
    questions: int = Field(description="how often was asked")


class RecoveryOut(ClockOut):
    """Money that was paid and is demanded back."""

    recovery_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str = Field(description=_COMPANY, examples=["91440300708461136T"])
    scheme: str = Field(examples=["compute-voucher"])
    pool: str = Field(examples=["ai-package-2025"])
    demanded: MoneyOut
    received: MoneyOut
    netted: MoneyOut = Field(description="part of `received`: kept back of payments")
    reserved: MoneyOut = Field(description="kept back of payments that are under way")
    written_off: MoneyOut
    reason: str
    status: Literal["demanded", "received", "written_off"]
    demanded_at: datetime
    closed_at: datetime | None


class RecoveriesOut(BaseModel):
    """A page of demands, in the order of their making."""

    items: list[RecoveryOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class PaymentOut(ClockOut):
    """A payment. The creditor's account stays out."""

    payment_id: UUID
    claim_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str = Field(description=_COMPANY, examples=["91440300708461136T"])
    scheme: str = Field(examples=["compute-voucher"])
    pool: str = Field(examples=["ai-package-2025"])
    money: MoneyOut
    amount: int = Field(description="the same, in fen")
    netted: MoneyOut = Field(description="kept back for what the company owes")
    end_to_end_id: str = Field(examples=["DD01a204085fa57442b3c5d03ff5eb2e7b"])
    status: Literal["held", "instructed", "settled", "returned", "cancelled"]
    hold: Literal["account", "account_rejected", "release"] | None = Field(description="what a held one waits for")
    released: bool
    attempt: int
    verification_id: UUID | None
    instructed_at: datetime
    settled_at: datetime | None
    returned_at: datetime | None
    bank_reference: str | None
    reason_code: str | None
    file_message_id: str | None = Field(description="the file that holds the latest attempt")


class PaymentsOut(BaseModel):
    """A page of payments, in the order of their ids."""

    items: list[PaymentOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class DiscrepancyOut(BaseModel):
    """A report that moved nothing and needs a person."""

    event_id: UUID
    payment_id: UUID | None
    recovery_id: UUID | None
    verification_id: UUID | None
    type: str = Field(examples=["payment.settled"])
    money: MoneyOut | None
    amount: int | None
    end_to_end_id: str | None
    bank_reference: str | None
    attempt: int | None
    effect: Literal["discrepancy"]
    detail: str = Field(examples=["another amount"])
    received_at: datetime


class DiscrepanciesOut(BaseModel):
    """A page of such reports, in the order of their ids."""

    items: list[DiscrepancyOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class OrderOut(BaseModel):
    """What a person ordered, who agreed, and why."""

    order_id: UUID
    kind: str = Field(examples=["award.revoke"])
    subject: dict[str, Any] = Field(description="what it is about: the fields of its kind", examples=[{}])
    reason: str
    status: Literal["proposed", "executed", "rejected"]
    proposed_by: str = Field(examples=["officer-1"])
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class OrdersOut(BaseModel):
    """A page of orders, in the order of asking."""

    items: list[OrderOut]
    next_cursor: UUID | None = Field(description=_NEXT)


class EffectOut(BaseModel):
    """What a report did."""

    payment_id: UUID
    effect: Literal["moved", "duplicate", "discrepancy"]
    detail: str


class PaymentFileOut(BaseModel):
    """A file of payments: what it is, not what is in it."""

    message_id: str = Field(examples=["DF01a204085fa57442b3c5d03ff5eb2e7b"])
    pools: list[str] = Field(examples=[["ai-package-2025"]])
    payments: int
    control_sum: MoneyOut
    created_at: datetime
    created_by: str = Field(examples=["officer-1"])
    sha256: str


class LeftOutOut(BaseModel):
    """A payment that the format can't say."""

    payment_id: UUID
    pointer: str
    detail: dict[str, str] = Field(examples=[{"zh-CN": "为空", "en": "is empty"}])


class MadePaymentFileOut(PaymentFileOut):
    """A file that was just written, and what is in none."""

    left_out: list[LeftOutOut]
    more: bool = Field(description="whether another call is due")


class PaymentFilesOut(BaseModel):
    """A page of files, in the order of their making."""

    items: list[PaymentFileOut]
    next_cursor: str | None = Field(description=_NEXT)


class LineOut(BaseModel):
    """A report of a bank's file that moved nothing and needs a person."""

    line: int
    end_to_end_id: str | None
    detail: str


class EffectsOut(BaseModel):
    """How many reports did what."""

    moved: int
    duplicate: int
    discrepancy: int
    pending: int


class TakenFileOut(BaseModel):
    """What a bank's file did."""

    message_id: str = Field(examples=["BANK-2026-0001"])
    kind: Literal["pain.002", "camt.054"]
    reports: int
    effects: EffectsOut
    passed_over: int
    discrepancies: list[LineOut]


class BankFileOut(BaseModel):
    """A bank's file that was taken, and what whoever sent it was told."""

    message_id: str = Field(examples=["BANK-2026-0001"])
    kind: Literal["pain.002", "camt.054"]
    sha256: str
    received_at: datetime
    received_by: str
    reports: int
    answer: TakenFileOut


class BankFilesOut(BaseModel):
    """A page of the bank's files, by their ids."""

    items: list[BankFileOut]
    next_cursor: str | None = Field(description=_NEXT)
