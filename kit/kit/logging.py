"""Logs: structlog over the standard library; JSON on stdout in containers, readable on a terminal.

Fixed keys: time, level, event, service, logger. Names, accounts and contacts never: ``redact`` takes them out.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_PRIVATE: Final = frozenset({"name", "account", "contact", "email", "phone", "creditor", "password", "token"})


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values under private keys, at any depth."""
    for key, value in entry.items():
        if key in _PRIVATE:
            entry[key] = "[redacted]"
        elif isinstance(value, dict):
            entry[key] = redact(None, "", dict(value))
    return entry


def configure(service: str, *, log_format: str, level: str) -> None:
    """Send every log line of this process to stdout, through one chain of processors."""
    readable = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        lambda _l, _m, entry: {**entry, "service": service},
        redact,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("aiokafka").setLevel("ERROR")  # its warnings repeat what our own lines say


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that takes an event name and keyword values."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
