"""Trace context (W3C): which request a log line, an event and a batch belong to. And spans, where they are wanted.

The context always travels: HTTP header, command, outbox row, Kafka header, message, and so on. Spans are made only
where the standard ``OTEL_*`` variables say so (``kit.tracing_settings``); otherwise nothing of the SDK is imported, and
a request or a batch costs a function call more. Why so: docs/decisions/0020.
"""

import random
import re
from collections.abc import Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from kit.spans import Spans

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""What is being done belongs to this trace: set for a request, a batch, and the event that a handler is at."""

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LENGTH: Final = 55
_ODD: Final = frozenset("13579bdf")

_spans: "Spans | None" = None


class Caused(Protocol):
    """What has a trace context: a message."""

    @property
    def traceparent(self) -> str | None: ...


C = TypeVar("C", bound=Caused)


def use(spans: "Spans | None") -> None:
    """Make spans with these from now on; None makes none. ``kit.tracing_settings`` calls it, and tests do."""
    global _spans  # noqa: PLW0603  # one for the process, as its loggers and its metrics are
    _spans = spans


def spans() -> "Spans | None":
    """Return what makes spans, or None where none are wanted."""
    return _spans


def parse(given: bytes | None) -> str | None:
    """Return the trace context of a ``traceparent`` header, or None where it is none.

    A later version of the header is read as far as version 00 goes, as the standard wants it.
    """
    if given is None or len(given) < _LENGTH:
        return None
    if len(given) > _LENGTH:
        if given.startswith(b"00") or given[_LENGTH : _LENGTH + 1] != b"-":
            return None
        given = given[:_LENGTH]
    if _TRACEPARENT.fullmatch(given) is None:
        return None
    return given.decode() if given.startswith(b"00") else f"00{given[2:].decode()}"


def fresh() -> str:
    """Return the context of a new trace that nobody records."""
    return f"00-{random.getrandbits(128) or 1:032x}-{random.getrandbits(64) or 1:016x}-00"  # no secret


def is_sampled(traceparent: str | None) -> bool:
    """Return whether whoever began this trace wants it recorded."""
    return traceparent is not None and traceparent[-1] in _ODD


def keys_of(traceparent: str | None) -> dict[str, str]:
    """Return what a log line says of its trace."""
    return {} if traceparent is None else {"trace_id": traceparent[3:35], "span_id": traceparent[36:52]}


class Work:
    """What is done for one or many causes. What is logged on the way belongs to the one at hand.

    This one makes no spans.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> Self:
        self._before = TRACEPARENT.get()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        TRACEPARENT.set(self._before)

    def of(self, messages: list[C]) -> list[C]:
        """Say what the work is for; return the messages as a handler gets them: each with the context of its span."""
        if len(messages) == 1:
            TRACEPARENT.set(messages[0].traceparent)
        return messages


def work(name: str, group: str) -> Work:
    """Return what is to be entered around the work of a consumer group, as ``process``."""
    return Work() if _spans is None else _spans.work(name, group)


def told(name: str, causes: Sequence[str | None], began: int, *, each: bool = False) -> None:
    """Say that work on these traces has ended. ``began`` is in nanoseconds (``time.time_ns``).

    ``each`` has a span made in every one of them that is recorded, besides the one with links to all.
    """
    if _spans is not None:
        _spans.told(name, causes, began, each=each)
