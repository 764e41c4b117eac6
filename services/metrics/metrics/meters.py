"""The figures of the programme as Prometheus metrics, rendered from a snapshot at each scrape (contract.md, section 3).

Money is in yuan, as a double: exact to the fen far beyond the largest pool. Every figure is taken from the tables,
never counted by the process, so replicas agree and a restart loses nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from contracts.money import FEN_PER_YUAN
from metrics.programme import Programme
from metrics.rules import forecast, tallies
from metrics.rules.books import STATES
from metrics.snapshot import Snapshot

GROUP_LAG: Final = Gauge(
    "drawdown_group_lag_events",
    "Events between what a consumer group has committed to Kafka and the end of the partition",
    ["group", "topic", "partition"],
)
GROUP_LAG_SECONDS: Final = Gauge(
    "drawdown_group_lag_seconds",
    "How long ago the first event was seen that the consumer group has not committed to Kafka, else 0",
    ["group", "topic", "partition"],
)
BROKERS: Final = Gauge("drawdown_kafka_brokers", "Brokers in the cluster at the last look; 0 when none answered")

Samples = Iterable[tuple[tuple[str, ...], float]]


def render(snapshot: Snapshot | None, programme: Programme) -> bytes:
    """Return the text of all figures; without a snapshot only that the projection could not be read."""
    return generate_latest(_Figures(snapshot, programme))


def yuan(fen: int) -> float:
    """Return fen as yuan: the double next to the exact quotient, which reads back to the fen."""
    return fen / FEN_PER_YUAN


class _Figures(Collector):
    def __init__(self, snapshot: Snapshot | None, programme: Programme) -> None:
        self._snapshot = snapshot
        self._programme = programme

    def collect(self) -> Iterator[Metric]:
        yield _readable(self._snapshot is not None)
        if self._snapshot is not None:
            yield from _pools(self._snapshot)
            yield from _schemes(self._snapshot)
            yield from _applications(self._snapshot)
            yield _stages(self._snapshot)
            yield from _programme(self._snapshot, self._programme)
            yield _progress(self._snapshot)


def _gauge(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _readable(readable: bool) -> Metric:
    meaning = "1 when the projection's database answered this scrape; without it the figures are absent"
    return _gauge("drawdown_projection_readable", meaning, (), [((), float(readable))])


def _pools(snapshot: Snapshot) -> Iterator[Metric]:
    pools = snapshot.pools
    yield _gauge(
        "drawdown_pool_appropriated_yuan",
        "What was appropriated to the pool",
        ("pool",),
        (((pool.pool,), yuan(pool.appropriated)) for pool in pools),
    )
    yield _gauge(
        "drawdown_pool_balance_yuan",
        "The pool's money by state, replayed from its transfers",
        ("pool", "state"),
        (((pool.pool, state), yuan(getattr(pool, state))) for pool in pools for state in STATES),
    )
    yield _gauge(
        "drawdown_pool_imbalance_yuan",
        "Replayed balances against those that the last transfer carried, and against the appropriation: 0, or wrong",
        ("pool",),
        (((pool.pool,), yuan(pool.imbalance)) for pool in pools),
    )
    yield _gauge(
        "drawdown_pool_chain_breaks",
        "Places where a transfer did not follow the one before it (missing, changed or doubled): 0, or look at the log",
        ("pool",),
        (((pool.pool,), float(pool.breaks)) for pool in pools),
    )
    yield _gauge(
        "drawdown_pool_exhaustion_timestamp_seconds",
        f"When the pool is used up at the pace of the last {forecast.WINDOW_DAYS} days; absent when there is no trend",
        ("pool",),
        _exhaustions(snapshot),
    )


def _exhaustions(snapshot: Snapshot) -> Samples:
    for pool in snapshot.pools:
        end = forecast.exhaustion(pool.available, snapshot.paces.get(pool.pool), snapshot.now)
        if end is not None:
            yield (pool.pool,), end.timestamp()


def _schemes(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "drawdown_scheme_balance_yuan",
        "The scheme's part of the pool's money by state",
        ("pool", "scheme", "state"),
        ((labels, yuan(fen)) for labels, fen in snapshot.scheme_balances.items()),
    )
    yield _gauge(
        "drawdown_envelope_remaining_yuan",
        "What the scheme may still commit in this fiscal year; absent for a scheme without an envelope",
        ("scheme",),
        (((scheme,), yuan(envelope - snapshot.used.get(scheme, 0))) for scheme, envelope in snapshot.envelopes.items()),
    )
    yield _gauge(
        "drawdown_disbursed_yuan",
        "What was paid out, net of what was recovered",
        ("pool", "scheme", "district"),
        ((labels, yuan(fen)) for labels, fen in snapshot.disbursed.items()),
    )
    yield _gauge(
        "drawdown_waitlisted_yuan",
        "Approved, and waiting for money",
        ("pool", "scheme"),
        (((pool, scheme), yuan(fen)) for (scheme, pool), fen in _tallied(snapshot, tallies.WAITLISTED)),
    )


def _tallied(snapshot: Snapshot, wanted: str) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield ((scheme, label), value) of the tallies with this name."""
    for (name, scheme, label), value in snapshot.tallies.items():
        if name == wanted:
            yield (scheme, label), value


def _applications(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge(
        "drawdown_applications",
        "Applications by where they stand",
        ("scheme", "status"),
        ((labels, float(count)) for labels, count in _tallied(snapshot, tallies.STATUS)),
    )
    total = CounterMetricFamily(
        "drawdown_applications",
        "Applications that ever came to this outcome; one application may come to several (waitlisted, then awarded)",
        labels=("scheme", "outcome"),
    )
    for labels, count in _tallied(snapshot, tallies.OUTCOME):
        total.add_metric(labels, float(count))
    yield total


def _stages(snapshot: Snapshot) -> Metric:
    family = HistogramMetricFamily(
        "drawdown_stage_seconds", "How long the stages of the life cycle took", labels=("stage", "scheme")
    )
    for stage in tallies.STAGES:
        counts: dict[str, dict[str, int]] = {}
        for (scheme, label), value in _tallied(snapshot, stage):
            counts.setdefault(scheme, {})[label] = value
        for scheme, of_scheme in counts.items():
            seconds = of_scheme.get(tallies.SUM, 0) / 1_000_000
            buckets = [(_bound(bound), count) for bound, count in tallies.buckets(of_scheme)]
            family.add_metric((stage, scheme), buckets=buckets, sum_value=seconds)
    return family


def _bound(bound: str) -> str:
    """Return a bucket's bound as clients write it ("60.0"): a rule that names one then holds in Prometheus 2 and 3."""
    return bound if bound == tallies.BEYOND else str(floatToGoString(float(bound)))  # type: ignore[no-untyped-call]


def _programme(snapshot: Snapshot, programme: Programme) -> Iterator[Metric]:
    targets = programme.targets
    yield _gauge(
        "drawdown_programme_target",
        "What the programme promised to reach",
        ("target",),
        (((each.target,), float(each.value)) for each in targets),
    )
    yield _gauge(
        "drawdown_programme_actual",
        "What is reached so far, as far as it is known here",
        ("target",),
        (((each.target,), float(each.actual(snapshot.tallies))) for each in targets),
    )


def _progress(snapshot: Snapshot) -> Metric:
    moment = snapshot.last_event_at
    return _gauge(
        "drawdown_projection_last_event_timestamp_seconds",
        "Time (ce_time) of the latest event that the figures include",
        (),
        [((), moment.timestamp())] if moment is not None else [],
    )
