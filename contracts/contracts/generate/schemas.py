"""JSON Schema (2020-12) of each event's data. Fields that are not listed are allowed: readers ignore them."""

import json
from typing import Any, Final

import msgspec

from contracts.events import Event
from contracts.topics import event_type

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def urn(event: type[Event]) -> str:
    """Return the schema's identifier, which events carry in the header ``ce_dataschema``."""
    return f"urn:drawdown:schema:{event_type(event)}"


def schema(event: type[Event]) -> dict[str, Any]:
    """Return the event's schema: its own fields on top, the words that it shares under ``$defs``."""
    _, components = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    own = components.pop(event.__name__)
    shared = {"$defs": dict(sorted(components.items()))} if components else {}
    return {"$schema": DIALECT, "$id": urn(event), **own, **shared}


def text(event: type[Event]) -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(event), ensure_ascii=False, indent=2) + "\n"
