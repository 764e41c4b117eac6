"""Log lines about single events that somebody follows: one when an event is handled, one when it is announced.

A line for each event would cost as much as handling it. So there are lines where the trace is recorded, limited as the
spans of a batch are, or for all events at the level DEBUG. They are written after the commit.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from contracts.events import Event
from contracts.topics import TOPIC_OF
from kit import tracing
from kit.logging import get_logger
from kit.messages import Message
from kit.outbox import TYPE_OF, Announcement
from kit.tracing import TRACEPARENT, Caused

log = get_logger(__name__)
_is_enabled: Final = logging.getLogger(__name__).isEnabledFor

C = TypeVar("C", bound=Caused)


def log_handled(messages: Sequence[Message]) -> None:
    """Write a line for each followed message that was handled."""
    for message in _followed(messages):
        _say("event_handled", message.traceparent, message.data, type=message.type, topic=message.topic)


def log_said(announcements: Sequence[Announcement]) -> None:
    """Write a line for each event that was announced because of something that is followed."""
    for said in _followed(announcements):
        kind = type(said.event)
        _say("event_announced", said.traceparent, said.event, type=TYPE_OF[kind], topic=TOPIC_OF[kind].name)


def belongs_to(record: Any) -> dict[str, str]:
    """Return the keys of a log line about a Kafka record, read from its headers: its value may be what is wrong."""
    headers = dict(record.headers)
    found = tracing.keys_of(tracing.parse(headers.get("traceparent")))
    subject = headers.get("ce_subject")
    try:
        application_id = UUID((subject or b"").decode())
    except (ValueError, UnicodeDecodeError):  # it is about something else, or says nothing of it
        return found
    return found | {"application_id": str(application_id)}


def _followed(things: Sequence[C]) -> Iterator[C]:
    if _is_enabled(logging.DEBUG):
        yield from things
        return
    spans = tracing.spans()
    if spans is None:
        return
    for thing in things:
        if tracing.is_sampled(thing.traceparent):
            if not spans.may_single_out("line"):
                return  # enough for this batch: to ask for each of it would cost more than it brings
            yield thing


def _say(line: str, traceparent: str | None, event: Event, **more: str) -> None:
    application_id = getattr(event, "application_id", None)
    about = {} if application_id is None else {"application_id": str(application_id)}
    before = TRACEPARENT.set(traceparent)
    log.info(line, **about, **more)
    TRACEPARENT.reset(before)
