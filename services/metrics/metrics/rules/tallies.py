"""The figures that one row adds to the totals. A total is the sum over all rows, kept up by differences.

A tally is (name, scheme, label): the status or outcome, the step of the funnel, the pool that is waited for, a stage's
bucket, a measure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from metrics.rules import lifecycle
from metrics.rules.lifecycle import Application, Claim

Tally = tuple[str, str, str]

STATUS: Final = "status"
OUTCOME: Final = "outcome"
REACHED: Final = "reached"
WAITLISTED: Final = "waitlisted"
MEASURE: Final = "measure"

STAGES: Final = ("submission_to_decision", "decision_to_award", "claim_to_payment", "payment_to_settlement")
MINUTE, HOUR, DAY = 60, 3600, 86_400
# From what machines need (seconds) to what people, notices and banks need (weeks).
BOUNDS: Final = (
    *(1, 5, 15, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR),
    *(DAY, 3 * DAY, 7 * DAY, 15 * DAY, 30 * DAY, 60 * DAY, 90 * DAY, 180 * DAY),
)
BEYOND: Final = "+Inf"
SUM: Final = "sum_microseconds"  # a whole number, so that any order of adding gives the same sum
_EDGES: Final = [timedelta(seconds=bound) for bound in BOUNDS]
_LABELS: Final = [*map(str, BOUNDS), BEYOND]
_MICROSECOND: Final = timedelta(microseconds=1)


def of(row: Application | Claim) -> dict[Tally, int]:
    """Return what a row adds to the tallies; nothing while only its identifier is known."""
    found: dict[Tally, int] = {}
    add(found, row)
    return found


def add(totals: dict[Tally, int], row: Application | Claim) -> None:
    """Add to totals what a row adds to the tallies."""
    if row.scheme:
        for tally, value in _of_application(row) if isinstance(row, Application) else _of_claim(row):
            totals[tally] = totals.get(tally, 0) + value


def _of_application(row: Application) -> Iterator[tuple[Tally, int]]:
    yield (STATUS, row.scheme, lifecycle.status(row)), 1
    for outcome in lifecycle.outcomes(row):
        yield (OUTCOME, row.scheme, outcome), 1
    for passed in lifecycle.reached(row):
        yield (REACHED, row.scheme, passed), 1
    if row.waits_for_pool is not None and lifecycle.waiting(row):
        yield (WAITLISTED, row.scheme, row.waits_for_pool), lifecycle.waiting(row)
    for name, value in lifecycle.measures(row).items():
        yield (MEASURE, row.scheme, name), value
    yield from stage("submission_to_decision", row.scheme, row.submitted_at, lifecycle.decided_at(row))
    yield from stage("decision_to_award", row.scheme, row.approved_at, row.awarded_at)


def _of_claim(row: Claim) -> Iterator[tuple[Tally, int]]:
    yield from stage("claim_to_payment", row.scheme, row.submitted_at, row.instructed_at)
    yield from stage("payment_to_settlement", row.scheme, row.instructed_at, row.settled_at)


def stage(name: str, scheme: str, start: datetime | None, end: datetime | None) -> Iterator[tuple[Tally, int]]:
    """Yield one observation of a stage once both its ends are known. Clocks that disagree make zero, not less."""
    if start is None or end is None:
        return
    taken = max(timedelta(0), end - start)
    yield (name, scheme, _LABELS[bisect_left(_EDGES, taken)]), 1
    yield (name, scheme, SUM), taken // _MICROSECOND


def buckets(counts: dict[str, int]) -> list[tuple[str, float]]:
    """Return a stage's counts as Prometheus wants them: cumulative, up to and with +Inf."""
    return list(zip(_LABELS, map(float, accumulate(counts.get(label, 0) for label in _LABELS)), strict=True))
