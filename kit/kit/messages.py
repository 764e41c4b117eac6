"""An event as it travels: CloudEvents 1.0 in Kafka's binary mode, attributes as headers, data as plain JSON."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.codec import UnknownEventTypeError, decode
from contracts.events import Event
from contracts.topics import TOPICS
from kit.errors import PermanentError
from kit.identifiers import uuid_of
from kit.tracing import parse as trace_of

REQUIRED_HEADERS: Final = ("ce_id", "ce_type", "ce_time")
Header = tuple[str, bytes]


class WrongKeyError(PermanentError):
    """The record's key is not the field that orders its topic: its order is lost, and no other key waits for it."""


class Message(msgspec.Struct, frozen=True):
    """An event that was received, with where it stood and who caused it."""

    id: UUID
    type: str
    time: datetime
    key: str
    topic: str
    partition: int
    offset: int
    traceparent: str | None
    data: Event


def headers_of(
    *,
    event_id: UUID,
    event_type: str,
    source: str,
    subject: str,
    time: datetime,
    sequence: int,
    traceparent: str | None,
) -> list[Header]:
    """Return the CloudEvents attributes as Kafka headers."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_source", f"/{source}".encode()),
        ("ce_type", event_type.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z").encode()),
        ("ce_dataschema", f"urn:drawdown:schema:{event_type}".encode()),
        ("ce_sequence", str(sequence).encode()),
        ("content-type", b"application/json"),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def parse(record: Any) -> Message:
    """Return the typed message of a Kafka record.

    Raises PermanentError, naming what is wrong, for anything that does not keep to the contract.
    """
    headers = dict(record.headers)
    for name in REQUIRED_HEADERS:
        if name not in headers:
            raise PermanentError(f"the header {name} is missing")
    kind = _text(headers["ce_type"])
    try:
        message = Message(
            id=uuid_of(_text(headers["ce_id"])),
            type=kind,
            time=_instant(_text(headers["ce_time"])),
            key=(record.key or b"").decode(),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            traceparent=trace_of(headers.get("traceparent")),
            data=decode(kind, record.value or b""),
        )
    except UnknownEventTypeError as error:
        raise PermanentError(str(error)) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise PermanentError(f"{kind} can't be read: {error}") from error
    _check_key(message)
    return message


def _check_key(message: Message) -> None:
    field = TOPICS[message.topic].key
    wanted = getattr(message.data, field, message.key)
    if message.key != wanted and message.key != str(wanted):  # most keys are texts
        raise WrongKeyError(f"{message.type} has the key {message.key!r}, its {field} is {wanted!r}")


def event_id_of(record: Any) -> str | None:
    """Return the record's ``ce_id`` as it stands, or None when it has none."""
    return _first(record, "ce_id")


def event_type_of(record: Any) -> str | None:
    """Return the record's ``ce_type``, or None when it has none."""
    return _first(record, "ce_type")


def _first(record: Any, wanted: str) -> str | None:
    for name, value in record.headers:
        if name == wanted:
            return _text(value)
    return None


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"ce_time {text!r} has no offset from UTC")
    return moment
