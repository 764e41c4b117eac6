"""Logs: structlog over the standard library; JSON on stdout in containers, readable on a terminal.

Fixed keys: time, level, event, service, version, logger; trace_id and span_id where the line belongs to a trace, and
application_id where it is about one application. Names, accounts and contacts never: ``kit.redaction`` takes them out,
of the lines of libraries and of the texts of errors, too.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from kit import tracing
from kit.redaction import redact

_FIRST: Final = ("time", "level", "event", "service", "version", "trace_id", "span_id", "application_id")


def configure(service: str, *, log_format: str, level: str, version: str = "0") -> None:
    """Send every log line of this process to stdout, through one chain of processors."""
    readable = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        lambda _l, _m, entry: {**entry, "service": service, "version": version},
        _trace,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                _ordered,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("aiokafka").setLevel("ERROR")  # its warnings repeat what our own lines say
    logging.getLogger("httpx").setLevel("WARNING")  # it would write a line for each call that we make


def _trace(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which trace the line belongs to, where it does and does not say so itself."""
    return {**tracing.keys_of(tracing.TRACEPARENT.get()), **entry}


def _ordered(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put what every line has first, in one order, so that lines below each other can be read."""
    return {key: entry[key] for key in _FIRST if key in entry} | {**entry}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that takes an event name and keyword values."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
