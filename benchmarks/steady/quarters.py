"""From looks and latencies to ratios: the last quarter of the time beside the first. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, TypeVar

from benchmarks.harness.openloop import Latencies, latencies_of
from benchmarks.harness.results import Ratio
from benchmarks.lifecycle.portal import LATE_SECONDS
from benchmarks.steady.watch import Look

T = TypeVar("T")
QUARTERS: Final = 4
MANY_ROWS: Final = 1_000
MANY_BYTES: Final = 1_000_000
"""A table with fewer living rows and fewer bytes costs nobody anything, whatever share of it is dead."""


def by_part(
    taken: Sequence[tuple[float, float]], seconds: float, parts: int, rate: float, drain_seconds: float = 0.0
) -> list[Latencies]:
    """Return the latencies of each of so many equal parts of the time, by when work was due."""
    lots: list[list[float]] = [[] for _ in range(parts)]
    for due, took in taken:
        lots[min(int(due / seconds * parts), parts - 1)].append(took)
    return [latencies_of(lot, rate, drain_seconds, LATE_SECONDS) for lot in lots]


def quarters(looks: Sequence[T]) -> list[Sequence[T]]:
    """Return four lots of looks, in their order: they come at even intervals."""
    if len(looks) < QUARTERS:
        raise ValueError(f"{len(looks)} looks make no quarters")
    cuts = [len(looks) * number // QUARTERS for number in range(QUARTERS + 1)]
    return [looks[begin:end] for begin, end in pairwise(cuts)]


def medians(looks: Sequence[Look], of: Callable[[Look], float]) -> list[float]:
    """Return the median of something in each quarter."""
    return [median(of(look) for look in quarter) for quarter in quarters(looks)]


def memory(looks: Sequence[Look]) -> dict[str, list[float]]:
    """Return each service's memory by quarter, in MB."""
    return {name: medians(looks, lambda look, name=name: look.memory_mb[name]) for name in looks[0].memory_mb}  # type: ignore[misc]


def worst_dead(looks: Sequence[Look]) -> tuple[float, str]:
    """Return the largest share of dead rows in the second half, and whose; 0 where no table is large enough."""
    late = looks[len(looks) // 2 :]
    shares = [
        (table.dead_share, name)
        for look in late
        for name, table in look.tables.items()
        if table.live > MANY_ROWS or table.bytes > MANY_BYTES
    ]
    return max(shares, default=(0.0, "none"))


def ratios(p99_ms: Sequence[float], looks: Sequence[Look]) -> dict[str, Ratio]:
    """Return the ratios; ``p99_ms`` has that of each quarter."""
    grown = {name: found[-1] / found[0] for name, found in memory(looks).items()}
    backlog = medians(looks, lambda look: look.backlog)
    return {
        "p99_last_vs_first": Ratio(
            "99th percentile of the time from the moment at which an application should have been sent until its award "
            "can be read on disbursement.awards, of those due in the last quarter of the time, divided by that of "
            "those due in the first",
            1.5,
            1.1,
            round(p99_ms[-1] / p99_ms[0], 3),
            at_most=True,
        ),
        "memory_last_vs_first": Ratio(
            "median resident memory of a service in the last quarter divided by that in the first, which begins after "
            "warm-up and maximum: the largest of the four services",
            1.15,
            1.05,
            round(max(grown.values()), 3),
            at_most=True,
        ),
        "backlog_last_vs_first": Ratio(
            "median over the last quarter of what waits (events in all outboxes and before all consumers, applications "
            "before the assessor), and one, divided by the same of the first quarter",
            1.5,
            1.1,
            round((backlog[-1] + 1) / (backlog[0] + 1), 3),
            at_most=True,
        ),
        "dead_rows": Ratio(
            f"dead rows divided by all rows, in the worst table of more than {MANY_ROWS:,} living rows or "
            f"{MANY_BYTES / 1e6:.0f} MB at the worst moment of the second half, as PostgreSQL's statistics have it",
            0.3,
            0.2,
            round(worst_dead(looks)[0], 3),
            at_most=True,
        ),
    }
