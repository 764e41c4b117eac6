"""What finance reports: every report is kept; whether one moves money is decided here (domain.md, rule 5)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from contracts.events import FinanceReport, PaymentReport, PaymentReturned, PaymentSettled, RecoveryReceived
from disbursement.book import Book
from disbursement.records import Payment, Recovery, Report
from kit.messages import Message

Effect = tuple[Literal["moved", "duplicate", "discrepancy"], str]
MOVED: Effect = ("moved", "")


def of_payment(payment: Payment | None, event: PaymentSettled | PaymentReturned, earlier: Iterable[Report]) -> Effect:
    """Return what a bank report does and why. Only a report on the attempt that is under way moves anything.

    ``end_to_end_id`` is the same for all attempts. So a report on an earlier one is told by its ``attempt``, where
    finance sends it, else by a reference that was reported before, else by its time.
    """
    if payment is None:
        return "discrepancy", "no such payment was instructed"
    if (event.money.amount, event.end_to_end_id) != (payment.amount, payment.end_to_end_id):
        return "discrepancy", f"instructed were {payment.amount} fen as {payment.end_to_end_id}"
    if _was_told(event.TYPE, event.bank_reference, earlier):
        return "duplicate", f"{event.bank_reference} was reported before"
    if event.attempt is not None and event.attempt != payment.attempt:
        return "discrepancy", f"speaks of attempt {event.attempt}, under way is {payment.attempt}"
    outcome = event.TYPE.rpartition(".")[2]
    if payment.status == outcome:
        return "duplicate", f"already {outcome}"
    if payment.status != "instructed":
        return "discrepancy", f"the payment is {payment.status}"
    if event.attempt is None and payment.attempt > 1 and reported_at(event) < payment.instructed_at:
        return "discrepancy", f"is older than attempt {payment.attempt}, which is under way"
    return MOVED


def of_receipt(recovery: Recovery | None, event: RecoveryReceived, earlier: Iterable[Report]) -> Effect:
    """Return what a receipt does and why."""
    if recovery is None:
        return "discrepancy", "nothing of the kind was demanded"
    if _was_told(event.TYPE, event.bank_reference, earlier):
        return "duplicate", f"{event.bank_reference} was reported before"
    if recovery.status != "demanded":
        return "discrepancy", f"the demand is {recovery.status}"
    if event.money.amount == 0 or event.money.amount > recovery.outstanding:
        return "discrepancy", f"outstanding are {recovery.outstanding} fen"
    return MOVED


def reported_at(event: PaymentSettled | PaymentReturned) -> datetime:
    """Return when the bank did what it reports."""
    return event.settled_at if isinstance(event, PaymentSettled) else event.returned_at


def _was_told(type_: str, bank_reference: str, earlier: Iterable[Report]) -> bool:
    return any(
        report.effect == "moved" and (report.type, report.bank_reference) == (type_, bank_reference)
        for report in earlier
    )


def keep(book: Book, event: FinanceReport, message: Message, effect: str, detail: str, **about: Any) -> None:
    """Keep a report as it came; ``about`` names what it speaks of."""
    fields: dict[str, Any] = dict(about)
    if isinstance(event, PaymentReport):
        fields |= {"end_to_end_id": event.end_to_end_id, "attempt": event.attempt}
    if isinstance(event, PaymentReport | RecoveryReceived):
        fields |= {"amount": event.money.amount, "bank_reference": event.bank_reference}
    book.add(Report(event_id=message.id, type=event.TYPE, effect=effect, detail=detail, received_at=book.now, **fields))
