"""JSONB columns that may be NULL, to typed values and back."""

from typing import Any

import msgspec

from kit.database import to_json


def json_or_null(value: Any) -> str | None:
    return None if value is None else to_json(value)


def typed(document: Any, kind: Any) -> Any:
    """Return the column's value as ``kind``, or None where it is NULL."""
    return None if document is None else msgspec.convert(document, kind)
