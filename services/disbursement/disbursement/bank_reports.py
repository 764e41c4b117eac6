"""What a bank's file says of payments, applied to the book one by one: as the events would that say the same.

Only what the file adds is decided here: which attempt it speaks of, and what a rejection of the whole speaks of.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.events import PaymentReturned, PaymentSettled
from contracts.money import Money
from disbursement import payment_files, records
from disbursement.book import Book
from disbursement.handlers import hear
from disbursement.iso20022.messages import Rejection, Report, Statement
from disbursement.records import Payment
from kit.identifiers import uuid7

MOST_NAMED: Final = 100  # of the discrepancies, in the answer; all are listed under /v1/discrepancies
NO_REASON: Final = "NARR"  # ISO 20022's code for a reason that is told in words, or not at all

Found = tuple[int, records.Report]
"""The line of the file and the report as it was kept."""


class Known(msgspec.Struct, frozen=True):
    """Whose ids the file names, and what was in the file that it answers.

    ``filed`` has the attempt of each payment in that file; None if the file answers none of ours.
    """

    ids: dict[str, UUID]
    filed: dict[UUID, int] | None


def apply(book: Book, statement: Statement, known: Known) -> dict[str, Any]:
    """Apply all that a file says; return what it did. A report on what is still pending is only counted."""
    effects = dict.fromkeys(("moved", "duplicate", "discrepancy", "pending"), 0)
    discrepancies: list[dict[str, Any]] = []
    for report in statement.reports:
        effects["pending"] += report.outcome == "pending"
    for line, kept in _kept(book, statement, known):
        effects[kept.effect] += 1
        if kept.effect == "discrepancy" and len(discrepancies) < MOST_NAMED:
            discrepancies.append({"line": line, "end_to_end_id": kept.end_to_end_id, "detail": kept.detail})
    return {
        "message_id": statement.message_id,
        "kind": statement.kind,
        "reports": len(statement.reports),
        "effects": effects,
        "passed_over": len(statement.passed_over),
        "discrepancies": discrepancies,
    }


def _kept(book: Book, statement: Statement, known: Known) -> Iterator[Found]:
    for report in statement.reports:
        if report.outcome != "pending":
            yield report.line, _report(book, statement, known, report)
    named = set(known.ids.values())
    filed = _filed(book, known) if statement.rejections else []
    for rejection in statement.rejections:
        within = [payment for payment in filed if rejection.pool in (None, payment.pool)]
        if not within:
            yield rejection.line, _unfit(book, PaymentReturned.TYPE, _unknown(rejection), statement.message_id)
        for payment in within:
            if payment.payment_id not in named:
                named.add(payment.payment_id)
                share = _share(rejection, payment, statement)
                yield rejection.line, hear(book, _event(book, payment, payment.attempt, share))


def _report(book: Book, statement: Statement, known: Known, report: Report) -> records.Report:
    payment_id = known.ids.get(report.end_to_end_id)
    if payment_id is None:
        return _unfit_report(book, report, "no such payment was instructed")
    if known.filed is None:
        attempt = payment_files.attempt_of(payment_id, report.instruction_id)
    elif payment_id in known.filed:
        attempt = known.filed[payment_id]
    else:
        answered = statement.original_message_id
        return _unfit_report(book, report, f"answers {answered}, which does not hold this payment", payment_id)
    return hear(book, _event(book, book.payments[payment_id], attempt, report))


def _event(book: Book, payment: Payment, attempt: int | None, report: Report) -> PaymentSettled | PaymentReturned:
    """Return the event that says the same. An amount that the bank leaves out is the one that was ordered."""
    common: dict[str, Any] = {
        "occurred_at": book.now,
        "payment_id": payment.payment_id,
        "end_to_end_id": report.end_to_end_id,
        "money": Money(payment.amount if report.amount is None else report.amount),
        "bank_reference": report.bank_reference,
        "attempt": attempt,
    }
    if report.outcome == "settled":
        return PaymentSettled(**common, settled_at=report.at)
    return PaymentReturned(**common, returned_at=report.at, reason_code=report.reason_code or NO_REASON)


def _filed(book: Book, known: Known) -> list[Payment]:
    """Return the payments of the file that is answered whose attempt in it is still the latest."""
    filed = known.filed or {}
    return [book.payments[each] for each in sorted(filed) if book.payments[each].attempt == filed[each]]


def _share(rejection: Rejection, payment: Payment, statement: Statement) -> Report:
    """Return what the rejection of a whole says of one payment in it."""
    return Report(
        end_to_end_id=payment.end_to_end_id,
        outcome="returned",
        amount=None,
        bank_reference=statement.message_id,
        reason_code=rejection.reason_code,
        at=rejection.at,
        line=rejection.line,
    )


def _unknown(rejection: Rejection) -> str:
    pool = f" of the pool {rejection.pool}" if rejection.pool else ""
    return f"rejects {rejection.original_message_id}, which holds no payment{pool} that is under way"


def _unfit_report(book: Book, report: Report, detail: str, payment_id: UUID | None = None) -> records.Report:
    kind = PaymentSettled if report.outcome == "settled" else PaymentReturned
    about = {"payment_id": payment_id, "end_to_end_id": report.end_to_end_id, "amount": report.amount}
    return _unfit(book, kind.TYPE, detail, report.bank_reference, **about)


def _unfit(book: Book, kind: str, detail: str, bank_reference: str, **about: Any) -> records.Report:
    """Keep what fits no payment of ours: it moves nothing, and a person has to look."""
    kept = records.Report(
        event_id=uuid7(),
        type=kind,
        bank_reference=bank_reference,
        effect="discrepancy",
        detail=detail,
        received_at=book.now,
        **about,
    )
    book.add(kept)
    return kept
