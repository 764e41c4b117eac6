"""Sends spans to a collector by OTLP, beside the work and never in its way.

What the collector does to us: nothing. A bounded number of spans is held; when they are not taken in time, new ones are
dropped and counted. One thread sends. Stopping waits for it a second at most.
"""

import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import Counter

from kit.logging import get_logger
from kit.settings import refuse_to_start
from kit.spans import Spans
from kit.tracing_settings import TracingSettings

log = get_logger(__name__)

SENT: Final = Counter("drawdown_spans_sent", "Spans that the collector has taken")
DROPPED: Final = Counter(
    "drawdown_spans_dropped", "Spans that were lost: the queue was full, the collector did not take them", ["reason"]
)
_MOST_SAID: Final = 10
for _reason in ("queue_full", "collector", "stopping"):
    DROPPED.labels(_reason)  # from 0 on, or the first would be no increase


class _Said(logging.Handler):
    """Keeps what the SDK says of a call, which it logs with each try; our own line says it once."""

    def __init__(self) -> None:
        super().__init__(level="WARNING")
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < _MOST_SAID:
            self.lines.append(record.getMessage()[:300])


class Exporter(SpanExporter):
    """Hands spans to another exporter and counts what becomes of them; says once when the collector goes or comes."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._is_away = False
        self._said = _Said()
        sdk = logging.getLogger("opentelemetry")
        sdk.handlers, sdk.propagate = [self._said], False
        self.done = 0
        """Spans that are in nobody's hands any more. Written by the sending thread only."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, however long it takes: this is the sending thread."""
        self._said.lines.clear()
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        finally:
            self.done += len(spans)
            taken = result is SpanExportResult.SUCCESS
            (SENT if taken else DROPPED.labels("collector")).inc(len(spans))
            if taken is self._is_away:
                self._is_away = not taken
                if taken:
                    log.info("collector_takes_spans_again")
                else:
                    log.warning("collector_away", reason=next(iter(self._said.lines), "it gave no reason"))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class Processor(SpanProcessor):
    """Hands ended spans to the sending thread while fewer than ``most`` are held, those on their way included.

    The SDK's own queue would push the oldest out and count none.
    """

    def __init__(self, exporter: Exporter, settings: TracingSettings) -> None:
        self._exporter = exporter
        self._most = settings.otel_bsp_max_queue_size
        self._taken = 0
        self._lock = threading.Lock()
        self._queue_full = DROPPED.labels("queue_full")
        self._inner = BatchSpanProcessor(
            exporter,
            max_queue_size=settings.otel_bsp_max_queue_size,
            max_export_batch_size=settings.otel_bsp_max_export_batch_size,
            schedule_delay_millis=settings.otel_bsp_schedule_delay,
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, or drop and count it."""
        with self._lock:
            if self.held() >= self._most:
                self._queue_full.inc()
                return
            self._taken += 1
        self._inner.on_end(span)

    def held(self) -> int:
        """Return how many spans are held now."""
        return self._taken - self._exporter.done

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]  # as the SDK has it

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


def begin(service: str, version: str, settings: TracingSettings) -> Spans:
    """Return what makes spans of this process and sends them; one line and exit code 78 where a variable is wrong."""
    try:
        exporter = Exporter(OTLPSpanExporter())
        processor = Processor(exporter, settings)
        provider = TracerProvider(resource=_resource(service, version), shutdown_on_exit=False)
    except (ValueError, OSError) as error:
        refuse_to_start(f"OTEL_*: {error}")
    provider.add_span_processor(processor)
    log.info("tracing", sampler=settings.otel_traces_sampler, arg=settings.otel_traces_sampler_arg)
    return Spans(provider.get_tracer("drawdown.kit"), lambda seconds: _end(processor, seconds))


def _resource(service: str, version: str) -> Resource:
    """Return what all spans of this process have; ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` come first."""
    own: Mapping[str, str] = {
        "service.name": service,
        "service.namespace": "drawdown",
        "service.version": version,
        "service.instance.id": str(uuid4()),
        "host.name": socket.gethostname(),
    }
    return Resource.create().merge(Resource(own)).merge(OTELResourceDetector().detect())


def _end(processor: Processor, seconds: float) -> bool:
    """Send what is held, for so long and no longer; return whether all of it was sent."""
    ending = threading.Thread(target=processor.shutdown, daemon=True, name="last-spans")
    ending.start()
    ending.join(seconds)
    left = processor.held()
    if left:
        DROPPED.labels("stopping").inc(left)
        log.warning("spans_left_behind", spans=left)
    return not left
