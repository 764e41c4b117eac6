"""JSON Schema (2020-12) of the policy document, for editors: what eligibility checks by types, before it checks sense.

In an event unknown fields are ignored; in a document they are refused, so that a misspelt rule is not a missing one.
"""

import json
from typing import Any

import msgspec

from contracts.generate.schemas import DIALECT
from contracts.policy import Policy


def schema() -> dict[str, Any]:
    """Return the schema of a document as it is written."""
    _, components = msgspec.json.schema_components([Policy], ref_template="#/$defs/{name}")
    closed = {name: _closed(component) for name, component in sorted(components.items())}
    own = closed.pop(Policy.__name__)
    return {"$schema": DIALECT, "$id": "urn:drawdown:schema:policy", **own, "$defs": closed}


def _closed(component: dict[str, Any]) -> dict[str, Any]:
    return {**component, "additionalProperties": False} if "properties" in component else component


def text() -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"
