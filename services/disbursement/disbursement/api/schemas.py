"""The bodies of finance's calls: shapes and limits, each with the sentence that a caller needs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from contracts.events import PaymentReturned, PaymentSettled
from contracts.money import LARGEST_EXACT_INTEGER, Money
from disbursement import orders
from kit.fields import Moment, Whole

Pool = Annotated[str, Field(min_length=1, max_length=200, examples=["ai-package-2025"])]
Scheme = Annotated[str, Field(min_length=1, max_length=200, examples=["compute-voucher"])]


class Strict(BaseModel):
    """Unknown fields are refused: a misspelt one must not be silently left out."""

    model_config = ConfigDict(extra="forbid")


class MoneyIn(Strict):
    """An amount of money, above zero."""

    amount: Whole = Field(gt=0, le=LARGEST_EXACT_INTEGER, description="whole fen")
    currency: Literal["CNY"] = "CNY"


class AccountIn(Strict):
    """A bank account that money is paid to."""

    name: str = Field(min_length=1, max_length=140)
    account: str = Field(min_length=1, max_length=34)
    bank_code: str = Field(min_length=1, max_length=35)


class Reasoned(Strict):
    """Why: it is kept for ever, and shown to auditors."""

    reason: str = Field(min_length=3, max_length=500, description="why, in words that an auditor understands")


class _SetAppropriation(Reasoned):
    kind: Literal["appropriation.set"]
    pool: Pool
    money: MoneyIn


class _SetEnvelope(Reasoned):
    kind: Literal["envelope.set"]
    scheme: Scheme
    fiscal_year: Whole = Field(
        ge=2000,
        le=2999,
    )
    money: MoneyIn


class _ResumePool(Reasoned):
    kind: Literal["pool.resume"]
    pool: Pool


class _OfAward(Reasoned):
    kind: Literal["award.revoke", "award.close"]
    award_id: UUID


class _DemandRecovery(Reasoned):
    kind: Literal["recovery.demand"]
    award_id: UUID
    money: MoneyIn


class _WriteOffRecovery(Reasoned):
    kind: Literal["recovery.write_off"]
    recovery_id: UUID


class _ReleasePayment(Reasoned):
    kind: Literal["payment.release"]
    payment_id: UUID


NewOrder = Annotated[
    _SetAppropriation | _SetEnvelope | _ResumePool | _OfAward | _DemandRecovery | _WriteOffRecovery | _ReleasePayment,
    Field(discriminator="kind"),
]


class Again(Reasoned):
    """Instruct a returned payment again."""

    creditor: AccountIn | None = Field(default=None, description="the corrected account; null for the same one")


class WhichPools(Strict):
    """Of which pools to write the payments."""

    pools: list[Pool] | None = Field(default=None, min_length=1, max_length=100, description="null for all pools")


class Reported(Strict):
    """What the bank did with a payment."""

    type: Literal["settled", "returned"]
    end_to_end_id: str = Field(max_length=35)
    money: MoneyIn
    bank_reference: str = Field(min_length=1, max_length=140)
    at: Moment = Field(description="when the bank did it")
    reason_code: str | None = Field(default=None, max_length=4, description="of a return: ISO 20022, such as AC04")
    attempt: Whole | None = Field(default=None, ge=1, le=9999, description="the instruction's, if known")

    def event(self, payment_id: UUID, now: datetime) -> PaymentSettled | PaymentReturned:
        """Return the event that says the same."""
        common: dict[str, Any] = {
            "occurred_at": now,
            "payment_id": payment_id,
            "end_to_end_id": self.end_to_end_id,
            "money": Money(self.money.amount),
            "bank_reference": self.bank_reference,
            "attempt": self.attempt,
        }
        if self.type == "settled":
            return PaymentSettled(**common, settled_at=self.at)
        return PaymentReturned(**common, returned_at=self.at, reason_code=self.reason_code or "NARR")


def subject(body: BaseModel, **more: Any) -> orders.AnySubject:
    """Return what a body orders."""
    sent = body.model_dump(mode="json", exclude={"reason"})
    found: orders.AnySubject = msgspec.convert(sent | more, orders.AnySubject)
    return found
