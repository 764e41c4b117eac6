"""The Prometheus instruments that disbursement moves, counted once a batch."""

from collections import Counter as Counts
from itertools import product
from typing import Final

from prometheus_client import Counter

from contracts.events import PaymentReturned, PaymentSettled, TransferPosted
from disbursement.book import Book
from disbursement.records import Report

TRANSFERS = Counter("drawdown_transfers", "Transfers posted", ["pool", "reason"])
REPORTS = Counter("drawdown_bank_reports", "Reports of finance, by what they did", ["type", "effect"])
EFFECTS: Final = ("moved", "duplicate", "discrepancy")

for _labels in product((PaymentSettled.TYPE, PaymentReturned.TYPE), EFFECTS):
    REPORTS.labels(*_labels)  # from 0 on, or the first one would be no increase


def count(book: Book) -> None:
    """Count what a batch is about to commit."""
    moves = (said.event for said in book.said if type(said.event) is TransferPosted)
    for (pool, reason), transfers in Counts((move.pool, move.reason) for move in moves).items():
        TRANSFERS.labels(pool, reason).inc(transfers)
    for report in book.added(Report):
        REPORTS.labels(report.type, report.effect).inc()
