"""What people order: each is kept with who asked and why, and the weighty ones wait for a second person.

An order that takes two is proposed by one and executed when another approves it. Everything is checked at the
proposal, so that the first hears at once what can't be, and again at the approval, when it counts.
"""

from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from contracts.common import Account
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import appropriations, endings, payments, recoveries, refusals
from disbursement.book import Book
from disbursement.records import Order
from kit import accounts
from kit.identifiers import uuid7


class Subject(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What an order is about. ``kind`` names it in the API and in the table."""


class SetAppropriation(Subject, frozen=True, tag="appropriation.set"):
    """Raise or lower what was appropriated to a pool, never below what is not available."""

    pool: str
    money: Money


class SetEnvelope(Subject, frozen=True, tag="envelope.set"):
    """Raise or lower what a scheme may commit in a fiscal year, never below what it has committed."""

    scheme: str
    fiscal_year: int
    money: Money


class ResumePool(Subject, frozen=True, tag="pool.resume"):
    """Award from a pool again that was put on hold by a reconciliation."""

    pool: str


class RevokeAward(Subject, frozen=True, tag="award.revoke"):
    """Take an award back; what is not claimed yet is freed."""

    award_id: UUID


class CloseAward(Subject, frozen=True, tag="award.close"):
    """End an award whose rest will not be claimed."""

    award_id: UUID


class DemandRecovery(Subject, frozen=True, tag="recovery.demand"):
    """Ask back what was paid on an award."""

    award_id: UUID
    money: Money


class WriteOffRecovery(Subject, frozen=True, tag="recovery.write_off"):
    """Give up what is outstanding of a demand."""

    recovery_id: UUID


class ReleasePayment(Subject, frozen=True, tag="payment.release"):
    """Let a payment above the policy's sum go to finance."""

    payment_id: UUID


class InstructPayment(Subject, frozen=True, tag="payment.instruct"):
    """Instruct a returned payment again, to a corrected account where one is given."""

    payment_id: UUID
    creditor: Account | None = None


class CancelPayment(Subject, frozen=True, tag="payment.cancel"):
    """Give a payment up that the bank returned or that was never instructed."""

    payment_id: UUID


AnySubject = (
    SetAppropriation
    | SetEnvelope
    | ResumePool
    | RevokeAward
    | CloseAward
    | DemandRecovery
    | WriteOffRecovery
    | ReleasePayment
    | InstructPayment
    | CancelPayment
)

# One person's word is enough where nothing leaves that two have not agreed to: another account is verified first.
ALONE: Final = (CloseAward, InstructPayment, CancelPayment)


def propose(book: Book, subject: AnySubject, reason: str, by: str) -> Order:
    """Keep an order; execute it where one person is enough. Raises a Refusal for what can't be done now."""
    order = Order(
        order_id=uuid7(),
        kind=type(subject).__struct_config__.tag,  # type: ignore[arg-type]  # every subject has a tag
        subject=msgspec.to_builtins(subject, str_keys=True),
        reason=reason,
        proposed_by=by,
        proposed_at=book.now,
    )
    perform = prepare(book, subject, order)
    book.add(order)
    if isinstance(subject, ALONE):
        _decide(book, order, "executed", None, None)
        perform()
    return order


def approve(book: Book, order_id: UUID, by: str) -> Order:
    """Execute an order as the second person. Raises a Refusal for the first, and for what can't be done any more."""
    order = _open(book, order_id)
    if by == order.proposed_by:
        raise Refusal(
            "second_person_needed",
            "须由提出人以外的另一人批准。",
            f"{by} proposed this order: another person has to approve it.",
        )
    perform = prepare(book, subject_of(order), order)
    _decide(book, order, "executed", by, None)
    perform()
    return order


def reject(book: Book, order_id: UUID, by: str, reason: str) -> Order:
    """End an order without executing it; its proposer may do that, too."""
    order = _open(book, order_id)
    _decide(book, order, "rejected", by, reason)
    return order


def subject_of(order: Order) -> AnySubject:
    subject: AnySubject = msgspec.convert(order.subject, AnySubject)
    return subject


def prepare(book: Book, subject: AnySubject, order: Order) -> Any:
    """Check what an order asks for; return the function that does it. Raises a Refusal; nothing has changed then."""
    match subject:
        case SetAppropriation(pool=pool, money=money):
            found = appropriations.check_pool(book, pool, money.amount)
            return lambda: appropriations.set_pool(book, found, money.amount, order.order_id)
        case SetEnvelope(scheme=scheme, fiscal_year=year, money=money):
            envelope = appropriations.check_envelope(book, scheme, year, money.amount)
            return lambda: appropriations.set_envelope(book, envelope, money.amount, order)
        case ResumePool(pool=pool):
            held = appropriations.check_resumable(book, pool)
            return lambda: appropriations.resume(book, held)
        case RevokeAward(award_id=award_id) | CloseAward(award_id=award_id):
            award = endings.check_running(book.awards.get(award_id), award_id)
            how: Literal["revoked", "closed"] = "revoked" if isinstance(subject, RevokeAward) else "closed"
            return lambda: endings.end(book, award, how, order.reason)
        case DemandRecovery(award_id=award_id, money=money):
            award = recoveries.check_demand(book, book.awards.get(award_id), award_id, money.amount)
            return lambda: recoveries.demand(book, award, money.amount, order.reason)
        case WriteOffRecovery(recovery_id=recovery_id):
            recovery = recoveries.check_write_off(book.recoveries.get(recovery_id), recovery_id)
            return lambda: recoveries.write_off(book, recovery)
        case _:
            return _prepare_payment(book, subject, order)


def _prepare_payment(book: Book, subject: ReleasePayment | InstructPayment | CancelPayment, order: Order) -> Any:
    payment_id = subject.payment_id
    found = book.payments.get(payment_id)
    match subject:
        case ReleasePayment():
            held = payments.check_releasable(found, payment_id)
            return lambda: payments.release(book, held)
        case InstructPayment(creditor=creditor):
            returned = payments.check_again(found, payment_id, creditor)
            if creditor is not None:  # what was asked for is kept as long as the books: sealed
                sealed = accounts.carried(book.keyring, returned.application_id, creditor)
                order.subject = {**order.subject, "creditor": msgspec.to_builtins(sealed)}
            return lambda: payments.instruct_again(book, returned, creditor)
        case CancelPayment():
            payment = payments.check_cancellable(found, payment_id)
            return lambda: payments.cancel(book, payment, order.reason)


def _open(book: Book, order_id: UUID) -> Order:
    order = book.orders.get(order_id)
    if order is None:
        raise refusals.not_found("order", order_id)
    if order.status != "proposed":
        raise refusals.wrong_state("order", order.status, "proposed")
    return order


def _decide(book: Book, order: Order, status: str, by: str | None, reason: str | None) -> None:
    order.status, order.decided_by, order.decided_at, order.decision_reason = status, by, book.now, reason
    book.touch(order)
