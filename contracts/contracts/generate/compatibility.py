"""What a change of a schema would break: compares a published schema with today's, field by field.

Two readers have to live with a change: yesterday's reader of today's events, and today's reader of yesterday's. So a
field may be added when it is optional, and a value of an enumeration may be added; all else breaks somebody.
"""

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def breaking_changes(published: Schema, today: Schema) -> list[str]:
    """Return what today's schema breaks, each with the JSON path of the field; empty when nothing does."""
    return list(_compare(published, today, published, today, "$"))


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if _types(old, old_root) != _types(new, new_root):
        yield f"{path}: was {_types(old, old_root)}, is {_types(new, new_root)}"
        return
    yield from _limits(old, new, path)
    yield from _fields(old, new, old_root, new_root, path)
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _compare(old[part], new[part], old_root, new_root, f"{path}[]")
    for one, other in zip(old.get("anyOf", []), new.get("anyOf", []), strict=False):
        yield from _compare(one, other, old_root, new_root, path)


def _fields(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name in after:
            yield from _compare(before[name], after[name], old_root, new_root, f"{path}.{name}")
        else:
            yield f"{path}.{name}: is gone"
    must, must_now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(must_now - must):
        yield f"{path}.{name}: is required now, and events without it were published"
    for name in sorted(must & after.keys() - must_now):
        yield f"{path}.{name}: was always there, and may be missing now"


def _limits(old: Schema, new: Schema, path: str) -> Iterator[str]:
    gone = [value for value in _values(old) if value not in _values(new)] if _values(new) else []
    if gone:
        yield f"{path}: no longer knows {gone}"
    if old.get("pattern") != new.get("pattern"):
        yield f"{path}: had the pattern {old.get('pattern')!r}, has {new.get('pattern')!r}"
    for name in _LOWER:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{path}: {name} was {old.get(name)}, is {new[name]}"
    for name in _UPPER:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{path}: {name} was {old.get(name)}, is {new[name]}"


def _values(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _types(schema: Schema, root: Schema) -> list[str]:
    """Return the JSON types that a schema takes; an enumeration's are those of its values."""
    if "anyOf" in schema:
        return sorted({name for part in schema["anyOf"] for name in _types(_resolve(part, root), root)})
    if "type" in schema:
        return sorted([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    return sorted({"null" if value is None else "string" for value in _values(schema)})


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
