"""The Prometheus instruments that disbursement moves, counted once a batch."""

from prometheus_client import Counter

from disbursement.book import Book

TRANSFERS = Counter("drawdown_transfers", "Transfers posted", ["pool", "reason"])
REPORTS = Counter("drawdown_bank_reports", "Bank reports, by what they did", ["type", "effect"])


def count(book: Book) -> None:
    """Count what a batch is about to commit."""
    for said in book.said:
        if said.event.TYPE == "transfer.posted":
            TRANSFERS.labels(said.event.pool, said.event.reason).inc()  # type: ignore[attr-defined]  # told by TYPE
    for report in book.reports:
        REPORTS.labels(report.type, report.effect).inc()
