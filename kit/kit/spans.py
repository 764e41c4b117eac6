"""The spans that are made where tracing is on: requests, batches, followed messages in them, pages of the outbox.

A batch serves many traces at once. So it has one span with a link to each; and each message whose sender wants it
recorded has a span of its own below its sender's, so that one application's trace has no hole. The spans of a batch
are limited, as are its links, whatever was asked for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from kit.buckets import Buckets
from kit.tracing import TRACEPARENT, Caused, Work, is_sampled

C = TypeVar("C", bound=Caused)

MOST_LINKS: Final = 128  # the SDK's own limit
# Of spans and lines about single messages in a batch. Some 100 microseconds each: a fiftieth of a core.
SINGLE_A_SECOND: Final = 200.0
SINGLE_AT_ONCE: Final = 400
_MOST_KINDS: Final = 10
_ROOT: Final = Context()
_UNTRACED: Final = ("/health/", "/metrics")


class Request:
    """A request that is being answered. ``end`` it once."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method
        self.traceparent = traceparent_of(span)

    def end(self, route: str, status: int, scope: Mapping[str, Any]) -> None:
        """Say which route it was, and what was answered."""
        span = self._span
        if span.is_recording():
            span.update_name(f"{self._method} {route}")
            span.set_attributes({"http.route": route, "http.response.status_code": status})
            application_id = scope.get("path_params", {}).get("application_id")
            if application_id is not None:
                span.set_attribute("application_id", str(application_id))
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        span.end()


class Spans:
    """Makes spans. ``end`` sends what is left, for so many seconds and no longer."""

    def __init__(self, tracer: Tracer, end: Callable[[float], bool]) -> None:
        self._tracer = tracer
        self._single = Buckets(SINGLE_A_SECOND, SINGLE_AT_ONCE)
        self.end = end

    def request(self, method: str, path: str, parent: str | None) -> Request | None:
        """Begin the span of a request that came; None for what is asked every few seconds, by probes and scrapes."""
        if path.startswith(_UNTRACED):
            return None
        attributes = {"http.request.method": method, "url.path": path}
        return Request(self.start(method, SpanKind.SERVER, parent, attributes=attributes), method)

    def work(self, name: str, group: str) -> "Followed":
        """Return what is entered around the work on a batch."""
        return Followed(self, name, group)

    def told(self, name: str, causes: Sequence[str | None], began: int, *, each: bool) -> None:
        """Make the span of work that has ended: below its cause if it had one, otherwise with links to them."""
        wanted = sampled(causes)
        if not wanted:
            return
        alone = len(set(causes)) == 1
        attributes = {"causes": len(causes)}
        span = self.start(name, SpanKind.INTERNAL, wanted[0] if alone else None, wanted, attributes, began)
        span.end()
        for cause in wanted if each and not alone else ():
            if not self.may_single_out("span"):
                return
            self.start(name, SpanKind.INTERNAL, cause, [traceparent_of(span)], began=began).end()

    def may_single_out(self, what: Literal["span", "line"]) -> bool:
        """Return whether one more message of a batch may have a span, or a line, of its own just now."""
        return self._single.take(what, time.monotonic()) == 0

    def start(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        links: Sequence[str] = (),
        attributes: Mapping[str, str | int] | None = None,
        began: int | None = None,
    ) -> Span:
        """Begin a span below ``parent``, or of a trace of its own."""
        return self._tracer.start_span(
            name,
            context=_ROOT if parent is None else set_span_in_context(NonRecordingSpan(context_of(parent)), _ROOT),
            kind=kind,
            attributes=attributes,
            links=[Link(context_of(one)) for one in links[:MOST_LINKS]],
            start_time=began,
        )


class Followed(Work):
    """The work on a batch, with its spans. They last from entering to leaving it: that is, to the commit."""

    def __init__(self, spans: Spans, name: str, group: str) -> None:
        self._spans = spans
        self._name = name
        self._group = group
        self._began = time.time_ns()
        self._open: list[Span] = []
        self._enough = False

    def of(self, messages: list[C]) -> list[C]:
        """Begin the spans; return the messages, each with the context of the span that it is handled in."""
        super().of(messages)
        causes = list(dict.fromkeys(message.traceparent for message in messages))
        wanted = sampled(causes)
        if not wanted:
            return messages
        alone = len(causes) == 1
        attributes = self._attributes(messages[0]) if len(messages) == 1 else self._common(messages)
        batch = self._spans.start(
            f"{self._name} {attributes.get('messaging.destination.name', 'batch')}",
            SpanKind.CONSUMER,
            wanted[0] if alone else None,
            wanted,
            attributes,
            self._began,
        )
        self._open.append(batch)
        context = traceparent_of(batch)
        TRACEPARENT.set(context)
        if alone:
            return [_handled_in(context, message) for message in messages]
        return [self._singled_out(context, message) for message in messages]

    def _singled_out(self, batch: str, message: C) -> C:
        if self._enough or not is_sampled(message.traceparent):
            return message
        if not self._spans.may_single_out("span"):
            self._enough = True  # for this batch: to ask for each of it would cost more than it brings
            return message
        attributes = self._attributes(message)
        name = f"{self._name} {attributes.get('messaging.destination.name', '')}"
        span = self._spans.start(name, SpanKind.CONSUMER, message.traceparent, [batch], attributes, self._began)
        self._open.append(span)
        return _handled_in(traceparent_of(span), message)

    def _common(self, messages: Sequence[Any]) -> dict[str, str | int]:
        kinds = ",".join(sorted({message.type for message in messages})[:_MOST_KINDS])
        return self._basic() | {"messaging.batch.message_count": len(messages), "event.type": kinds}

    def _basic(self) -> dict[str, str | int]:
        return {
            "messaging.system": "kafka",
            "messaging.operation.type": self._name,
            "messaging.operation.name": self._name,
            "messaging.consumer.group.name": self._group,
        }

    def _attributes(self, message: Any) -> dict[str, str | int]:
        found = self._basic() | {
            "messaging.destination.name": message.topic,
            "messaging.destination.partition.id": str(message.partition),
            "messaging.kafka.offset": message.offset,
            "messaging.message.id": str(message.id),
            "event.type": message.type,
        }
        application_id = getattr(message.data, "application_id", None)
        return found if application_id is None else found | {"application_id": str(application_id)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        for span in self._open:
            if error is not None:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))  # its text may quote a row
            span.end()


def sampled(causes: Sequence[str | None]) -> list[str]:
    """Return those that are to be recorded, each once, in order."""
    return list(dict.fromkeys(cause for cause in causes if cause is not None and is_sampled(cause)))


def context_of(traceparent: str) -> SpanContext:
    """Return a context that ``kit.tracing.parse`` has let through."""
    return SpanContext(
        int(traceparent[3:35], 16),
        int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )


def traceparent_of(span: Span) -> str:
    """Return the header for what a span causes."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _handled_in(context: str, message: C) -> C:
    return msgspec.structs.replace(message, traceparent=context)  # type: ignore[type-var]
