"""Bytes to events and back. Unknown fields are ignored, so that an older reader survives a newer writer."""

from typing import Any, Final

import msgspec

from contracts.events import Event
from contracts.topics import EVENTS

_ENCODER: Final = msgspec.json.Encoder()
_DECODERS: Final = {name: msgspec.json.Decoder(event) for name, event in EVENTS.items()}


class UnknownEventTypeError(ValueError):
    """The ``ce_type`` header names no event of this contract (or another major version of one)."""


def encode(event: Event) -> bytes:
    """Return the event's data as compact JSON in UTF-8."""
    return _ENCODER.encode(event)


def decode(event_type: str, data: bytes) -> Event:
    """Return the typed event.

    Raises UnknownEventTypeError when the type is not ours, msgspec.ValidationError (with the JSON path) when
    a field is missing or of another type, msgspec.DecodeError when ``data`` is no JSON.
    """
    decoder = _DECODERS.get(event_type)
    if decoder is None:
        raise UnknownEventTypeError(f"unknown event type {event_type!r}")
    return decoder.decode(data)


def to_builtins(value: Any) -> Any:
    """Return structs as plain dicts, lists, strings and numbers, as they stand in JSON."""
    return msgspec.to_builtins(value, str_keys=True)
