"""Verified claims become payable: the rate of the expense, at most what the award has left."""

from contracts.common import Reason
from contracts.events import ClaimPayable, ClaimRefused, ClaimVerified
from contracts.money import Money
from disbursement import payments, recoveries, rules
from disbursement.book import Book
from disbursement.records import Award, Claim, Payment
from kit.errors import PermanentError
from kit.identifiers import uuid7
from kit.messages import Message


def on_claim_verified(book: Book, event: ClaimVerified, _message: Message) -> None:
    """Obligate what the claim pays and order the payment, once."""
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
    refusal = _why_unpayable(award, claim, event)
    if refusal is None:
        _obligate(book, award, claim)
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


def _why_unpayable(award: Award, claim: Claim, event: ClaimVerified) -> Reason | None:
    """A claim made in time is paid during the days of grace; one made after the award's validity is not."""
    if not award.running or event.submitted_at > award.valid_until:
        return rules.AWARD_ENDED
    if award.committed == 0:
        return rules.NOTHING_LEFT
    return rules.NOTHING_ELIGIBLE if claim.payable == 0 else None


def _obligate(book: Book, award: Award, claim: Claim) -> None:
    assert award.pool is not None, "money is paid from a pool"
    payment = _payment(book, award, claim)
    recoveries.keep_back(book, payment)
    book.add(payment)
    award.committed -= claim.payable
    award.obligated += claim.payable
    if award.committed == 0:
        award.status, award.next_step_at = "exhausted", None
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
        payment_id=payment.payment_id,
    )
    payments.place(book, payment)
    book.say(_payable(book, award, claim, payment))
    payments.carry_out(book, payment)


def _payment(book: Book, award: Award, claim: Claim) -> Payment:
    payment_id = uuid7()
    assert award.pool is not None, "money is paid from a pool"
    return Payment(
        payment_id=payment_id,
        claim_id=claim.claim_id,
        award_id=award.award_id,
        application_id=award.application_id,
        applicant=award.applicant,
        scheme=award.scheme,
        pool=award.pool,
        amount=claim.payable,
        end_to_end_id=f"DD{payment_id.hex}",  # 34 characters; ISO 20022 allows 35
        status="instructed",
        creditor=award.creditor,
        instructed_at=book.now,
    )


def _payable(book: Book, award: Award, claim: Claim, payment: Payment) -> ClaimPayable:
    status = "settled" if payment.amount == 0 else payment.status
    assert status in ("instructed", "held", "settled"), status
    return ClaimPayable(
        occurred_at=book.now,
        application_id=award.application_id,
        scheme=award.scheme,
        applicant=award.applicant,
        claim_id=claim.claim_id,
        award_id=award.award_id,
        payment_id=payment.payment_id,
        payable=Money(claim.payable),
        limited_by=claim.limited_by,
        rest=Money(award.committed),
        netted=Money(payment.netted),
        payment_status=status,  # type: ignore[arg-type]  # asserted above
    )
