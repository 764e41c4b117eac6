"""Money demanded back: received in parts, kept back of later payments, or written off. Only a receipt moves money."""

from typing import Literal

from contracts.events import AwardRecovered, RecoveryClosed, RecoveryDemanded, RecoveryReceived
from contracts.money import Money
from disbursement import limits, lines, refusals, reports, waits
from disbursement.book import Book
from disbursement.records import Award, Netting, Payment, Recovery
from kit.identifiers import uuid7
from kit.messages import Message


def check_demand(book: Book, award: Award | None, award_id: object, amount: int) -> Award:
    """Return the award; raise a Refusal for more than was paid on it and is not demanded yet."""
    if award is None:
        raise refusals.not_found("award", award_id)
    most = award.disbursed - demanded(book, award)
    if amount > most:
        raise refusals.too_much("/money", most, "超过已支付且未追回的金额", "more than was paid and not demanded yet")
    return award


def demanded(book: Book, award: Award) -> int:
    """Return what is asked back of an award and has not come (fen)."""
    return sum(
        each.outstanding + each.reserved
        for each in book.recoveries.values()
        if each.award_id == award.award_id and each.status == "demanded"
    )


def written_off(book: Book, award: Award) -> int:
    """Return what was asked back of an award and given up (fen)."""
    return sum(each.written_off for each in book.recoveries.values() if each.award_id == award.award_id)


def demand(book: Book, award: Award, amount: int, reason: str) -> Recovery:
    """Ask a company to pay back ``amount`` fen of what was disbursed on an award."""
    assert award.pool is not None, "money was paid from a pool"
    recovery = Recovery(
        recovery_id=uuid7(),
        award_id=award.award_id,
        application_id=award.application_id,
        applicant=award.applicant,
        scheme=award.scheme,
        pool=award.pool,
        demanded=amount,
        reason=reason,
        demanded_at=book.now,
    )
    waits.begin(recovery, book.policy_of(award).clocks, book.now)
    book.add(recovery)
    book.say(
        RecoveryDemanded(
            occurred_at=book.now,
            application_id=recovery.application_id,
            scheme=recovery.scheme,
            applicant=recovery.applicant,
            recovery_id=recovery.recovery_id,
            award_id=recovery.award_id,
            money=Money(amount),
            reason=reason,
            due_at=recovery.due_at,
        )
    )
    return recovery


def on_recovery_received(book: Book, event: RecoveryReceived, message: Message) -> None:
    """Money came back: disbursed becomes available again, once for each receipt."""
    recovery = book.recoveries.get(event.recovery_id)
    effect, detail = reports.of_receipt(recovery, event, book.reports.get(event.recovery_id, ()))
    reports.keep(book, event, message, effect, detail, recovery_id=event.recovery_id)
    if recovery is None or effect != "moved":
        return
    _receive(book, recovery, event.money.amount, "receipt", f"{recovery.recovery_id}:{event.bank_reference}")


def _receive(book: Book, recovery: Recovery, amount: int, by: Literal["receipt", "netting"], command: str) -> None:
    award = book.awards[recovery.award_id]
    recovery.received += amount
    award.disbursed -= amount
    award.released += amount
    award.recovered += amount
    limits.give_back(book, award, amount)
    book.touch(recovery, award)
    book.post(
        command=f"{RecoveryReceived.TYPE}:{command}",
        pool=recovery.pool,
        source="disbursed",
        target="available",
        amount=amount,
        reason=RecoveryReceived.TYPE,
        award=award,
        recovery_id=recovery.recovery_id,
    )
    book.say(
        AwardRecovered(
            occurred_at=book.now,
            application_id=recovery.application_id,
            scheme=recovery.scheme,
            applicant=recovery.applicant,
            award_id=recovery.award_id,
            recovery_id=recovery.recovery_id,
            money=Money(amount),
            outstanding=Money(recovery.outstanding + recovery.reserved),
            by=by,
        )
    )
    if recovery.received + recovery.written_off == recovery.demanded:
        _close(book, recovery, "received" if not recovery.written_off else "written_off")
    lines.serve(book, recovery.pool)


def check_write_off(recovery: Recovery | None, recovery_id: object) -> Recovery:
    """Return the demand; raise a Refusal unless it is open and nothing is kept back for it."""
    if recovery is None:
        raise refusals.not_found("recovery", recovery_id)
    if recovery.status != "demanded":
        raise refusals.wrong_state("recovery", recovery.status, "demanded")
    if recovery.reserved:
        raise refusals.wrong_state("recovery", "kept back of a payment under way", "demanded with nothing kept back")
    return recovery


def write_off(book: Book, recovery: Recovery) -> None:
    """Give up what is outstanding: it stays disbursed."""
    recovery.written_off = recovery.outstanding
    book.touch(recovery)
    _close(book, recovery, "written_off")


def _close(book: Book, recovery: Recovery, outcome: Literal["received", "written_off"]) -> None:
    recovery.status, recovery.closed_at = outcome, book.now
    waits.begin(recovery, book.policy_of(book.awards[recovery.award_id]).clocks, book.now)
    book.say(
        RecoveryClosed(
            occurred_at=book.now,
            application_id=recovery.application_id,
            scheme=recovery.scheme,
            applicant=recovery.applicant,
            recovery_id=recovery.recovery_id,
            award_id=recovery.award_id,
            outcome=outcome,
            received=Money(recovery.received),
            netted=Money(recovery.netted),
            written_off=Money(recovery.written_off),
        )
    )


# --- kept back of later payments, where the policy says so ---------------------------------------------------------


def keep_back(book: Book, payment: Payment) -> None:
    """Keep back of a new payment what the company owes to the same pool, the oldest demand first.

    Never of another pool's: that would pay one appropriation's debt with another's money.
    """
    if not book.policy_of(book.awards[payment.award_id]).payments.net_recoveries:
        return
    owed = [
        each
        for each in book.recoveries.values()
        if (each.applicant, each.pool) == (payment.applicant, payment.pool) and each.outstanding > 0
    ]
    for recovery in sorted(owed, key=lambda each: each.recovery_id):
        amount = min(recovery.outstanding, payment.amount)
        if amount:
            payment.amount -= amount
            payment.netted += amount
            recovery.reserved += amount
            book.touch(recovery)
            book.add(Netting(payment_id=payment.payment_id, recovery_id=recovery.recovery_id, amount=amount))


def receive_kept_back(book: Book, payment: Payment) -> None:
    """The payment was settled: what was kept back of it counts as received."""
    for netting in book.nettings.get(payment.payment_id, []):
        recovery = book.recoveries[netting.recovery_id]
        recovery.reserved -= netting.amount
        recovery.netted += netting.amount
        _receive(book, recovery, netting.amount, "netting", f"{recovery.recovery_id}:{payment.payment_id}")


def free_kept_back(book: Book, payment: Payment) -> None:
    """The payment was given up: what was kept back of it is owed as before."""
    for netting in book.nettings.get(payment.payment_id, []):
        recovery = book.recoveries[netting.recovery_id]
        recovery.reserved -= netting.amount
        book.touch(recovery)
