"""The Prometheus instruments that every service serves (contract.md, section 3)."""

from importlib.metadata import version

from prometheus_client import Counter, Gauge, Histogram

EVENT_DELAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)

OUTBOX_PENDING = Gauge("drawdown_outbox_pending_events", "Ids drawn in the outbox that the relay has not passed yet")
OUTBOX_OLDEST = Gauge("drawdown_outbox_oldest_seconds", "Age of the oldest event that waits in the outbox")
CONSUMER_LAG = Gauge("drawdown_consumer_lag_events", "Events behind the end of the partition", ["topic", "partition"])
CONSUMER_LAG_SECONDS = Gauge(
    "drawdown_consumer_lag_seconds",
    "Age of the last handled event while behind, else 0",
    ["topic", "partition"],
)
EVENTS = Counter("drawdown_events_processed", "Events taken from Kafka, by what became of them", ["type", "outcome"])
EVENT_DELAY = Histogram(
    "drawdown_event_delay_seconds", "From the event's ce_time to its commit here", buckets=EVENT_DELAY_BUCKETS
)
BLOCKED = Gauge(
    "drawdown_blocked_partitions", "Partitions that stand still because an event can't be handled", ["topic"]
)
PARKED = Gauge("drawdown_parked_events", "Events that wait for a person", ["topic"])
DEAD_LETTERS = Counter("drawdown_dead_letters", "Copies sent to the dead-letter topic", ["topic"])
BATCH_SECONDS = Histogram("drawdown_batch_seconds", "Time of one batch's transaction")
LOOP_LAG = Gauge("drawdown_event_loop_lag_seconds", "How late the event loop ran a timer, at last look")
BUILD = Gauge("drawdown_build_info", "1, with the version that runs", ["service", "version"])
HTTP_REQUESTS = Counter("http_requests", "HTTP requests", ["method", "route", "status"])
HTTP_SECONDS = Histogram("http_request_duration_seconds", "Time to answer", ["method", "route"])
RATE_LIMITED = Counter(
    "drawdown_rate_limited", "Calls refused because their caller calls too often: read, write, unknown caller", ["kind"]
)
HTTP_LINE = Gauge("drawdown_http_line_requests", "Calls that wait at the door, at the last turn of the event loop")
POOL_IN_USE = Gauge("database_pool_connections_in_use", "Connections taken from the pool", ["pool"])
POOL_SIZE = Gauge("database_pool_size", "Connections that the pool keeps", ["pool"])


def set_build(service: str) -> None:
    """Say which version of which service this process is."""
    BUILD.labels(service, version(f"drawdown-{service}")).set(1)
