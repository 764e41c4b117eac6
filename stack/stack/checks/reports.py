"""You are at the check of finance's reports: what it said wrongly moved nothing and is listed."""

from collections.abc import Iterator
from uuid import UUID

from stack.checks.result import Result, result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import BankEntry
from stack.simulators.words import TRUE


def wrong_reports_are_listed(evidence: Evidence, _: Told) -> Result:
    """Disbursement lists the reports that finance made wrongly, by their ``ce_id``: each of them, and no other."""
    attempts = {payment.payment_id: payment.attempt for payment in evidence.payments}
    listed = {discrepancy.event_id: discrepancy.detail for discrepancy in evidence.discrepancies}
    must: dict[UUID, str] = {}
    may: set[UUID] = set()
    for entry in evidence.bank:
        if was_believed(entry, attempts.get(entry.payment_id, 0)):
            may |= {report.event_id for report in entry.reports if report.says in TRUE}
        else:
            must |= {report.event_id: report.says for report in entry.reports if report.says not in TRUE}

    def differences() -> Iterator[str]:
        yield from (f"finance said wrongly {must[each]} ({each}), which is not listed" for each in must.keys() - listed)
        for each in listed.keys() - must.keys() - may:
            yield f"{each} is listed ({listed[each]}), and finance did not say it wrongly"
        for entry in evidence.bank:
            if entry.unsaid:
                yield f"finance has {entry.unsaid} more reports on payment {entry.payment_id}"

    seen = f"{len(listed)} discrepancies, {len(must)} wrong reports"
    return result("the wrong reports are listed, and no other", seen, differences())


def was_believed(entry: BankEntry, attempt: int) -> bool:
    """Whether *returned* was taken for the truth of a payment that the bank had settled, which went on to ``attempt``.

    Nobody can know better when it comes first (``simulators/words.py``). Then the true report may be listed instead.
    """
    doubted = any(report.says == "returned" for report in entry.reports)
    return doubted and attempt > entry.attempt
