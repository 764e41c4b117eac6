"""What disbursement tells finance, keyed by applicant (``disbursement.payments``)."""

from typing import ClassVar, Literal

from contracts.common import Account, Identifier, Instant
from contracts.events.base import ApplicationEvent
from contracts.money import Money


class PaymentInstructed(ApplicationEvent, frozen=True, kw_only=True):
    """Finance is to pay this, once: ``end_to_end_id`` is the same on every retry, ``attempt`` counts them.

    A higher attempt follows a return: the one before has paid nothing.
    """

    TYPE: ClassVar[str] = "payment.instructed"
    PRIVATE: ClassVar[bool] = True

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    pool: str
    creditor: Account
    money: Money
    end_to_end_id: str
    purpose: str
    instructed_at: Instant
    attempt: int = 1


class PaymentCancelled(ApplicationEvent, frozen=True, kw_only=True):
    """A returned payment will not be tried again; its money is committed to the award again."""

    TYPE: ClassVar[str] = "payment.cancelled"

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    money: Money
    end_to_end_id: str
    reason: str


class PaymentStatusRequested(ApplicationEvent, frozen=True, kw_only=True):
    """Finance is asked what became of a payment that it has not reported on; ``question`` counts from 1.

    Never an instruction: it carries no account. The answer is a report on ``finance.payment-status``, the same one
    again where it was sent before.
    """

    TYPE: ClassVar[str] = "payment.status_requested"

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    money: Money
    end_to_end_id: str
    instructed_at: Instant
    attempt: int
    question: int


class RecoveryDemanded(ApplicationEvent, frozen=True, kw_only=True):
    """Money that was disbursed is asked back."""

    TYPE: ClassVar[str] = "recovery.demanded"

    recovery_id: Identifier
    award_id: Identifier
    money: Money
    reason: str
    due_at: Instant | None = None


class RecoveryClosed(ApplicationEvent, frozen=True, kw_only=True):
    """A demand is done with: all of it came back, or the rest was written off. ``netted`` is part of ``received``."""

    TYPE: ClassVar[str] = "recovery.closed"

    recovery_id: Identifier
    award_id: Identifier
    outcome: Literal["received", "written_off"]
    received: Money
    netted: Money
    written_off: Money


class AccountVerificationRequested(ApplicationEvent, frozen=True, kw_only=True):
    """Finance is asked whether this account is the company's; nothing is paid to it before the answer.

    The answer is ``account.verified`` or ``account.rejected``. ``question`` counts how often it was asked.
    """

    TYPE: ClassVar[str] = "account.verification_requested"
    PRIVATE: ClassVar[bool] = True

    verification_id: Identifier
    creditor: Account
    question: int
