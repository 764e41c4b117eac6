"""What disbursement says to finance, for the tests of the finance system."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from contracts.common import Account
from contracts.events import (
    AccountVerificationRequested,
    PaymentInstructed,
    PaymentStatusRequested,
    RecoveryClosed,
    RecoveryDemanded,
)
from contracts.money import Money

NOW = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)


def instruction(payment_id: UUID | None = None, amount: int = 12_345_678, attempt: int = 1) -> PaymentInstructed:
    payment_id = payment_id or uuid7()
    return PaymentInstructed(
        occurred_at=NOW,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant="91440300MA5003FYBC",
        payment_id=payment_id,
        award_id=uuid4(),
        claim_id=uuid4(),
        pool="ai-package-2025",
        creditor=Account(name="深圳市明联智能终端有限公司", account="4544166170432145837", bank_code="308584912884"),
        money=Money(amount),
        end_to_end_id=payment_id.hex,
        purpose="compute-voucher",
        instructed_at=NOW,
        attempt=attempt,
    )


def asked(payment: PaymentInstructed, question: int = 1) -> PaymentStatusRequested:
    """Return the question about a payment that was not reported on."""
    return PaymentStatusRequested(
        occurred_at=NOW,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        money=payment.money,
        end_to_end_id=payment.end_to_end_id,
        instructed_at=payment.instructed_at,
        attempt=payment.attempt,
        question=question,
    )


def account_question(account: Account | None = None, question: int = 1) -> AccountVerificationRequested:
    """Return the question whose an account is."""
    return AccountVerificationRequested(
        occurred_at=NOW,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant="91440300MA5003FYBC",
        verification_id=uuid7(),
        creditor=account or instruction().creditor,
        question=question,
    )


def demand(amount: int = 1_000_000) -> RecoveryDemanded:
    """Return the demand of money that was paid."""
    return RecoveryDemanded(
        occurred_at=NOW,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant="91440300MA5003FYBC",
        recovery_id=uuid7(),
        award_id=uuid4(),
        money=Money(amount),
        reason="the company moved away",
    )


def closed(demand: RecoveryDemanded) -> RecoveryClosed:
    """Return the end of a demand, whatever was received on it."""
    return RecoveryClosed(
        occurred_at=NOW,
        application_id=demand.application_id,
        scheme=demand.scheme,
        applicant=demand.applicant,
        recovery_id=demand.recovery_id,
        award_id=demand.award_id,
        outcome="written_off",
        received=Money(0),
        netted=Money(0),
        written_off=demand.money,
    )
