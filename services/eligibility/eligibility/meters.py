"""The Prometheus instruments that eligibility moves, beside kit's."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from eligibility.records import Assessment

REGISTER_SECONDS: Final = Histogram(
    "drawdown_register_lookup_seconds",
    "Time of one look-up in an outside register, tries and pauses included",
    ["register", "outcome"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REGISTER_OPEN: Final = Gauge(
    "drawdown_register_circuit_open", "1 while a failing register is left alone, else 0", ["register"]
)
ASSESSMENTS: Final = Counter(
    "drawdown_assessments", "Tries to decide an application, by what became of them", ["scheme", "outcome"]
)
GROUP_SECONDS: Final = Histogram(
    "drawdown_assessment_group_seconds", "Time to assess one group: registers asked, decisions committed"
)


def count(tried: Iterable[Assessment]) -> None:
    """Count tries to decide that have been committed."""
    for one in tried:
        ASSESSMENTS.labels(one.submitted.scheme, one.result).inc()
