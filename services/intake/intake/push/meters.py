"""The Prometheus instruments of what is pushed. Clients and addresses are in no label."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

STREAMS: Final = Gauge("drawdown_push_streams", "Open streams of events")
STREAMS_ENDED: Final = Counter("drawdown_push_streams_ended", "Streams that ended, by why", ["reason"])
STREAMED: Final = Counter("drawdown_push_streamed", "Events that were handed to streams")
BEHIND: Final = Gauge("drawdown_push_behind_events", "Ids drawn that streams and webhooks may not be told of yet")
DELIVERIES: Final = Counter("drawdown_webhook_attempts", "Calls of webhooks, by what came of them", ["outcome"])
DELIVERY_SECONDS: Final = Histogram(
    "drawdown_webhook_attempt_seconds", "Time of one call", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
)
DELIVERY_DELAY: Final = Histogram(
    "drawdown_webhook_delay_seconds",
    "From the change to the call that was answered well",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600, 86400),
)
WEBHOOKS: Final = Gauge("drawdown_webhooks", "Webhooks, by status", ["status"])
WEBHOOKS_DISABLED: Final = Counter("drawdown_webhooks_disabled", "Webhooks that were given up, by why", ["reason"])
PENDING: Final = Gauge("drawdown_webhook_pending_deliveries", "Deliveries that wait for enabled webhooks")
OLDEST: Final = Gauge("drawdown_webhook_oldest_pending_seconds", "Age of the oldest of them, 0 without any")
