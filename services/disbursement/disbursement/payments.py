"""Payments: held or instructed, settled, returned, instructed again, given up. Each moves money once."""

from typing import Any, Final

from contracts.common import Account
from contracts.events import (
    AwardChanged,
    ClaimCancelled,
    ClaimInstructed,
    ClaimPaid,
    ClaimUnpaid,
    PaymentCancelled,
    PaymentInstructed,
    PaymentReturned,
    PaymentSettled,
)
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import accounts, corrections, creditors, endings, lines, recoveries, refusals, reports, rules, waits
from disbursement.book import Book
from disbursement.records import Payment
from kit.messages import Message

NETTED: Final = "payment.netted"


# --- on its way to finance ------------------------------------------------------------------------------------


def place(book: Book, payment: Payment) -> None:
    """Decide whether a payment may go to finance now, and start its clock. ``carry_out`` acts on it."""
    award = book.awards[payment.award_id]
    policy = book.policy_of(award)
    payment.hold = None
    if policy.payments.verify_account and payment.amount:
        account = accounts.known(book, award, payment.creditor)
        payment.verification_id = account.verification_id
        payment.hold = {"asked": "account", "rejected": "account_rejected", "verified": None}[account.status]
    limit = policy.payments.release_above
    if payment.hold is None and limit is not None and payment.amount > limit.amount and not payment.released:
        payment.hold = "release"
    payment.status = "held" if payment.hold else "instructed"
    payment.instructed_at = book.now
    waits.begin(payment, policy.clocks, book.now)
    book.touch(payment)


def carry_out(book: Book, payment: Payment) -> None:
    """Instruct what was placed; what is netted altogether is settled without the bank."""
    if payment.amount == 0:
        _settle(book, payment)
    elif payment.status == "instructed":
        book.say(_instruction(payment, book))


def proceed(book: Book, payment: Payment) -> None:
    """Place a payment that was held or returned anew, and tell where it goes on."""
    place(book, payment)
    if payment.status == "instructed":
        book.say(ClaimInstructed(**_of_claim(book, payment), payment_id=payment.payment_id, attempt=payment.attempt))
    carry_out(book, payment)


def _instruction(payment: Payment, book: Book) -> PaymentInstructed:
    return PaymentInstructed(
        occurred_at=book.now,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        pool=payment.pool,
        creditor=creditors.opened(book.keyring, payment.application_id, payment.creditor),
        money=Money(payment.amount),
        end_to_end_id=payment.end_to_end_id,
        purpose=f"{payment.scheme} {payment.claim_id}",
        instructed_at=payment.instructed_at,
        attempt=payment.attempt,
    )


# --- what the bank did ------------------------------------------------------------------------------------------


def on_payment_settled(book: Book, event: PaymentSettled, message: Message) -> None:
    """The bank paid: obligated becomes disbursed, once; whatever else is reported moves nothing."""
    payment = _reported(book, event, message)
    if payment is not None:
        payment.settled_at, payment.bank_reference = event.settled_at, event.bank_reference
        _settle(book, payment)


def on_payment_returned(book: Book, event: PaymentReturned, message: Message) -> None:
    """The bank sent it back: the money stays obligated until finance instructs again or gives it up."""
    payment = _reported(book, event, message)
    if payment is None:
        return
    payment.status, payment.returned_at = "returned", event.returned_at
    payment.bank_reference, payment.reason_code = event.bank_reference, event.reason_code
    waits.begin(payment, book.policy_of(book.awards[payment.award_id]).clocks, book.now)
    book.touch(payment)
    say_unpaid(book, payment, event.reason_code)


def say_unpaid(book: Book, payment: Payment, reason_code: str) -> None:
    """Tell that nothing could be paid to this account."""
    book.say(ClaimUnpaid(**_of_claim(book, payment), payment_id=payment.payment_id, reason_code=reason_code))


def _reported(book: Book, event: PaymentSettled | PaymentReturned, message: Message) -> Payment | None:
    """Keep a report; return its payment if the report moves it."""
    payment = book.payments.get(event.payment_id)
    effect, detail = reports.of_payment(payment, event, book.reports.get(event.payment_id, ()))
    reports.keep(book, event, message, effect, detail, payment_id=event.payment_id)
    return payment if effect == "moved" else None


def _settle(book: Book, payment: Payment) -> None:
    """Obligated becomes disbursed: what the bank paid, and what was kept back for the company's debts."""
    award, claim = book.awards[payment.award_id], book.claims[payment.claim_id]
    total = payment.amount + payment.netted
    payment.status, payment.settled_at = "settled", payment.settled_at or book.now
    waits.begin(payment, book.policy_of(award).clocks, book.now)
    award.obligated -= total
    award.disbursed += total
    claim.status = "paid"
    book.touch(payment, award, claim)
    for reason, amount in ((PaymentSettled.TYPE, payment.amount), (NETTED, payment.netted)):
        if amount:
            book.post(
                command=f"{reason}:{payment.payment_id}",
                pool=payment.pool,
                source="obligated",
                target="disbursed",
                amount=amount,
                reason=reason,
                award=award,
                claim_id=payment.claim_id,
                payment_id=payment.payment_id,
            )
    paid = ClaimPaid(
        **_of_claim(book, payment),
        payment_id=payment.payment_id,
        paid=Money(total),
        settled_at=payment.settled_at,
    )
    book.say(paid)
    recoveries.receive_kept_back(book, payment)
    corrections.follow(book, award, f"{AwardChanged.TYPE}:{payment.payment_id}")


# --- what finance's people decide ---------------------------------------------------------------------------------


def check_again(payment: Payment | None, payment_id: object, creditor: Account | None) -> Payment:
    """Return the payment; raise a Refusal unless it can be instructed again (to this account, where one is given)."""
    if payment is None:
        raise refusals.not_found("payment", payment_id)
    rejected = payment.status == "held" and payment.hold == "account_rejected"
    if payment.status != "returned" and not rejected:
        raise refusals.wrong_state("payment", payment.status, "returned")
    if rejected and creditor is None:
        raise Refusal(
            "account_needed",
            "/creditor：该账户未通过核验，须提供新的收款账户。",
            "/creditor: finance rejected the account: name another one.",
            status=422,
            pointer="/creditor",
        )
    return payment


def instruct_again(book: Book, payment: Payment, creditor: Account | None) -> None:
    """Instruct a returned payment again, as the next attempt under the same ``end_to_end_id``.

    Another account counts for the whole award from now on, has to be verified, and a large payment to it released.
    """
    if payment.status == "returned":
        payment.attempt += 1
    if creditor is not None and creditor != creditors.opened(book.keyring, payment.application_id, payment.creditor):
        award = book.awards[payment.award_id]
        payment.creditor = award.creditor = creditors.kept(book.keyring, payment.application_id, creditor)
        payment.released = False
        book.touch(award)
    proceed(book, payment)


def check_cancellable(payment: Payment | None, payment_id: object) -> Payment:
    """Return the payment; raise a Refusal unless it is certain that the bank pays nothing on it."""
    if payment is None:
        raise refusals.not_found("payment", payment_id)
    if payment.status not in ("returned", "held"):
        raise refusals.wrong_state("payment", payment.status, "returned, held")
    return payment


def cancel(book: Book, payment: Payment, reason: str) -> None:
    """Give a payment up: obligated becomes committed again, or available where its award has ended meanwhile."""
    award, claim = book.awards[payment.award_id], book.claims[payment.claim_id]
    total = payment.amount + payment.netted
    payment.status, payment.hold, claim.status = "cancelled", None, "rejected"
    waits.begin(payment, book.policy_of(award).clocks, book.now)
    recoveries.free_kept_back(book, payment)
    award.obligated -= total
    award.committed += total
    book.touch(payment, award, claim)
    book.post(
        command=f"{PaymentCancelled.TYPE}:{payment.payment_id}",
        pool=payment.pool,
        source="obligated",
        target="committed",
        amount=total,
        reason=PaymentCancelled.TYPE,
        award=award,
        claim_id=payment.claim_id,
        payment_id=payment.payment_id,
    )
    freed = corrections.follow(book, award, f"{AwardChanged.TYPE}:{payment.payment_id}")
    if award.running and award.committed:
        award.status = "active"
        waits.begin_award(award, book.policy_of(award), book.now)
    elif not award.running:
        endings.release(book, award, command=f"award.{award.status}:{award.award_id}:{payment.payment_id}")
    book.say(_cancelled(book, payment, reason))
    book.say(
        ClaimCancelled(
            **_of_claim(book, payment),
            payment_id=payment.payment_id,
            money=Money(total),
            rest=Money(award.committed),
            reasons=(rules.PAYMENT_CANCELLED,),
        )
    )
    if freed and award.running:  # of one that has ended, all that was cancelled is given back
        corrections.tell(book, award, added=0, freed=freed)
    lines.serve(book, award.pool)


def _cancelled(book: Book, payment: Payment, reason: str) -> PaymentCancelled:
    return PaymentCancelled(
        occurred_at=book.now,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        money=Money(payment.amount),
        end_to_end_id=payment.end_to_end_id,
        reason=reason,
    )


def check_releasable(payment: Payment | None, payment_id: object) -> Payment:
    """Return the payment; raise a Refusal unless it waits for two persons."""
    if payment is None:
        raise refusals.not_found("payment", payment_id)
    if payment.hold != "release":
        raise refusals.wrong_state("payment", payment.hold or payment.status, "held for its release")
    return payment


def release(book: Book, payment: Payment) -> None:
    """Let a large payment go to finance."""
    payment.released = True
    proceed(book, payment)


def _of_claim(book: Book, payment: Payment) -> dict[str, Any]:
    return {
        "occurred_at": book.now,
        "application_id": payment.application_id,
        "scheme": payment.scheme,
        "applicant": payment.applicant,
        "claim_id": payment.claim_id,
        "award_id": payment.award_id,
    }
