"""What the finance system reports on ``finance.payment-status``, keyed by payment."""

from typing import ClassVar

from contracts.common import Identifier, Instant
from contracts.events.base import Event
from contracts.money import Money


class FinanceReport(Event, frozen=True, kw_only=True):
    """What the finance system reports. ``occurred_at`` may be missing: each report has a time of its own."""

    occurred_at: Instant | None = None  # type: ignore[assignment]  # finance owns this topic; we ask for less


class PaymentReport(FinanceReport, frozen=True, kw_only=True):
    """What the bank did about a payment; ``attempt`` is the instruction's, where finance knows it."""

    payment_id: Identifier
    end_to_end_id: str
    money: Money
    bank_reference: str
    attempt: int | None = None


class PaymentSettled(PaymentReport, frozen=True, kw_only=True):
    """The bank paid."""

    TYPE: ClassVar[str] = "payment.settled"

    settled_at: Instant


class PaymentReturned(PaymentReport, frozen=True, kw_only=True):
    """The bank could not pay; ``reason_code`` is an ISO 20022 external status reason, e.g. AC04."""

    TYPE: ClassVar[str] = "payment.returned"

    reason_code: str
    returned_at: Instant


class RecoveryReceived(FinanceReport, frozen=True, kw_only=True):
    """Money that was asked back has arrived."""

    TYPE: ClassVar[str] = "recovery.received"

    recovery_id: Identifier
    money: Money
    bank_reference: str
    received_at: Instant


class AccountVerified(FinanceReport, frozen=True, kw_only=True):
    """The account that was asked about is the company's and can be paid to."""

    TYPE: ClassVar[str] = "account.verified"

    verification_id: Identifier


class AccountRejected(FinanceReport, frozen=True, kw_only=True):
    """The account that was asked about can't be paid to; ``reason_code`` as in a return, e.g. AC01."""

    TYPE: ClassVar[str] = "account.rejected"

    verification_id: Identifier
    reason_code: str
