"""The Prometheus instruments that disbursement moves, counted once a batch."""

from prometheus_client import Counter

from contracts.events import TransferPosted
from disbursement.book import Book
from disbursement.records import Report

TRANSFERS = Counter("drawdown_transfers", "Transfers posted", ["pool", "reason"])
REPORTS = Counter("drawdown_bank_reports", "Reports of finance, by what they did", ["type", "effect"])


def count(book: Book) -> None:
    """Count what a batch is about to commit."""
    for said in book.said:
        if isinstance(said.event, TransferPosted):
            TRANSFERS.labels(said.event.pool, said.event.reason).inc()
    for report in book.added(Report):
        REPORTS.labels(report.type, report.effect).inc()
