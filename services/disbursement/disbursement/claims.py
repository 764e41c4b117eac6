"""Verified claims become payments, and the bank's reports settle them or send them back. Each moves money once."""

from datetime import datetime

import msgspec

from contracts.common import Account, Reason
from contracts.events import (
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimUnpaid,
    ClaimVerified,
    PaymentInstructed,
    PaymentReturned,
    PaymentSettled,
)
from contracts.money import Money
from disbursement import rules, waits
from disbursement.book import Book
from disbursement.records import Award, Claim, Payment, Report
from kit.errors import PermanentError
from kit.identifiers import uuid7
from kit.messages import Message


def on_claim_verified(book: Book, event: ClaimVerified, _message: Message) -> None:
    """Obligate what the claim pays and instruct the payment, once."""
    if event.claim_id in book.claims:
        return
    award = book.awards.get(event.award_id)
    if award is None:
        raise PermanentError(f"the claim {event.claim_id} is against an award that was never issued: {event.award_id}")
    payable, limited_by = rules.payable_amount(event.eligible.amount, award.rate, award.committed)
    claim = Claim(
        claim_id=event.claim_id,
        award_id=event.award_id,
        application_id=event.application_id,
        applicant=event.applicant,
        eligible=event.eligible.amount,
        payable=payable,
        limited_by=limited_by,
        status="payable",
        verified_at=book.now,
    )
    book.add(claim)
    refusal = _why_unpayable(award, claim)
    if refusal is None:
        _instruct(book, event, award, claim)
    else:
        claim.status, claim.payable = "rejected", 0
        book.say(
            ClaimRefused(
                occurred_at=book.now,
                application_id=event.application_id,
                scheme=event.scheme,
                applicant=event.applicant,
                claim_id=event.claim_id,
                award_id=event.award_id,
                reasons=(refusal,),
            )
        )


def _why_unpayable(award: Award, claim: Claim) -> Reason | None:
    if award.status not in ("active", "exhausted"):
        return rules.AWARD_ENDED
    if award.committed == 0:
        return rules.NOTHING_LEFT
    return rules.NOTHING_ELIGIBLE if claim.payable == 0 else None


def _instruct(book: Book, event: ClaimVerified, award: Award, claim: Claim) -> None:
    assert award.pool is not None, "money is paid from a pool"
    payment_id = uuid7()
    payment = Payment(
        payment_id=payment_id,
        claim_id=claim.claim_id,
        award_id=award.award_id,
        application_id=award.application_id,
        applicant=award.applicant,
        scheme=award.scheme,
        pool=award.pool,
        amount=claim.payable,
        end_to_end_id=f"DD{payment_id.hex}",  # 34 characters; ISO 20022 allows 35
        creditor=award.creditor,
        instructed_at=book.now,
    )
    waits.begin(payment, book.policy(award.scheme, award.policy_version).clocks, book.now)
    book.add(payment)
    award.committed -= claim.payable
    award.obligated += claim.payable
    if award.committed == 0:
        award.status = "exhausted"
    book.touch(award)
    book.post(
        command=f"{ClaimPayable.TYPE}:{claim.claim_id}",
        pool=award.pool,
        source="committed",
        target="obligated",
        amount=claim.payable,
        reason=ClaimPayable.TYPE,
        award=award,
        claim_id=claim.claim_id,
        payment_id=payment_id,
    )
    book.say(
        ClaimPayable(
            occurred_at=book.now,
            application_id=event.application_id,
            scheme=event.scheme,
            applicant=event.applicant,
            claim_id=claim.claim_id,
            award_id=award.award_id,
            payment_id=payment_id,
            payable=Money(claim.payable),
            limited_by=claim.limited_by,
            rest=Money(award.committed),
        )
    )
    book.say(_instruction(payment, book.now))


def _instruction(payment: Payment, now: datetime) -> PaymentInstructed:
    return PaymentInstructed(
        occurred_at=now,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        pool=payment.pool,
        creditor=msgspec.convert(payment.creditor, Account),
        money=Money(payment.amount),
        end_to_end_id=payment.end_to_end_id,
        purpose=f"{payment.scheme} {payment.claim_id}",
        instructed_at=payment.instructed_at,
        attempt=payment.attempt,
    )


def on_payment_settled(book: Book, event: PaymentSettled, message: Message) -> None:
    """The bank paid: obligated becomes disbursed, once; whatever else is reported moves nothing."""
    payment = book.payments.get(event.payment_id)
    effect, detail = _effect_of(payment, event, "settled")
    _keep_report(book, event, message, effect, detail)
    if payment is None or effect != "moved":
        return
    award, claim = book.awards[payment.award_id], book.claims[payment.claim_id]
    payment.status, payment.settled_at = "settled", event.settled_at
    payment.bank_reference = event.bank_reference
    waits.begin(payment, book.policy(award.scheme, award.policy_version).clocks, book.now)
    award.obligated -= payment.amount
    award.disbursed += payment.amount
    claim.status = "paid"
    book.touch(payment, award, claim)
    book.post(
        command=f"{PaymentSettled.TYPE}:{payment.payment_id}",
        pool=payment.pool,
        source="obligated",
        target="disbursed",
        amount=payment.amount,
        reason=PaymentSettled.TYPE,
        award=award,
        claim_id=payment.claim_id,
        payment_id=payment.payment_id,
    )
    book.say(
        ClaimPaid(
            occurred_at=book.now,
            application_id=payment.application_id,
            scheme=payment.scheme,
            applicant=payment.applicant,
            claim_id=payment.claim_id,
            award_id=payment.award_id,
            payment_id=payment.payment_id,
            paid=Money(payment.amount),
            settled_at=event.settled_at,
        )
    )


def on_payment_returned(book: Book, event: PaymentReturned, message: Message) -> None:
    """The bank sent it back: the money stays obligated until finance corrects or cancels the payment."""
    payment = book.payments.get(event.payment_id)
    effect, detail = _effect_of(payment, event, "returned")
    _keep_report(book, event, message, effect, detail)
    if payment is None or effect != "moved":
        return
    payment.status, payment.returned_at = "returned", event.returned_at
    payment.bank_reference, payment.reason_code = event.bank_reference, event.reason_code
    policy = book.policy(payment.scheme, book.awards[payment.award_id].policy_version)
    waits.begin(payment, policy.clocks, book.now)
    book.touch(payment)
    book.say(
        ClaimUnpaid(
            occurred_at=book.now,
            application_id=payment.application_id,
            scheme=payment.scheme,
            applicant=payment.applicant,
            claim_id=payment.claim_id,
            award_id=payment.award_id,
            payment_id=payment.payment_id,
            reason_code=event.reason_code,
        )
    )


def _effect_of(payment: Payment | None, event: PaymentSettled | PaymentReturned, outcome: str) -> tuple[str, str]:
    """Return what a report does (``moved``, ``duplicate`` or ``discrepancy``) and why (domain.md, rule 5)."""
    if payment is None:
        return "discrepancy", "no such payment was instructed"
    if (event.money.amount, event.end_to_end_id) != (payment.amount, payment.end_to_end_id):
        return "discrepancy", f"instructed were {payment.amount} fen as {payment.end_to_end_id}"
    if payment.status == "instructed":
        return "moved", ""
    if payment.status == outcome:
        return "duplicate", f"already {outcome}"
    return "discrepancy", f"the payment is {payment.status}"


def _keep_report(
    book: Book, event: PaymentSettled | PaymentReturned, message: Message, effect: str, detail: str
) -> None:
    report = Report(
        event_id=message.id,
        payment_id=event.payment_id,
        type=event.TYPE,
        amount=event.money.amount,
        end_to_end_id=event.end_to_end_id,
        bank_reference=event.bank_reference,
        effect=effect,
        detail=detail,
        received_at=book.now,
    )
    book.add(report)
