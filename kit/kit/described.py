"""`python -m <service> settings`: every variable that a service reads, for the generated table of them all.

Each is ``{"variable", "required", "default", "kind", "limits", "meaning", "secret", "file"}``. ``kind`` names what it
holds and, of a number, its unit. ``file``: the same name with ``_FILE`` may name a file that holds it instead.
"""

from typing import Any, Final

from kit.settings import ServiceSettings

_UNITS: Final = {
    "_per_second": "a second",
    "_seconds": "seconds",
    "_days": "days",
    "_bytes": "bytes",
    "_size": "count",
    "_events": "events",
    "_port": "port",
}
_LIMITS: Final = {
    "exclusiveMinimum": "> {}",
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}


def described(kind: type[ServiceSettings]) -> list[dict[str, Any]]:
    """Return what is said of each setting, in the order of the class."""
    schema = kind.model_json_schema()
    prefix = kind.model_config.get("env_prefix", "")
    return [
        {
            "variable": f"{prefix}{name}".upper(),
            "required": field.is_required(),
            "default": _default(schema["properties"][name]),
            "kind": _kind(name, _one(schema["properties"][name])),
            "limits": _limits(_one(schema["properties"][name])),
            "meaning": field.description or "",
            "secret": bool(_extra(field.json_schema_extra).get("secret")),
            "file": f"{name}_file" not in kind.model_fields,
        }
        for name, field in kind.model_fields.items()
    ]


def _one(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a setting holds when it holds anything: without the null of one that may be left out."""
    found: dict[str, Any] = next((each for each in schema.get("anyOf", []) if each.get("type") != "null"), schema)
    return found


def _default(schema: dict[str, Any]) -> Any:
    """Return what holds when nothing is set; a set has no order of its own."""
    default = schema.get("default")
    return sorted(default) if isinstance(default, list) else default


def _kind(name: str, schema: dict[str, Any]) -> str:
    match schema.get("type"):
        case _ if "enum" in schema:
            return " or ".join(f"`{value}`" for value in schema["enum"])
        case "integer" | "number":
            return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "count")
        case "boolean":
            return "`true` or `false`"
        case "array" | "object":
            return "JSON"
        case "string" if schema.get("format") == "path":
            return "path"
        case "string" if name.endswith("_url"):
            return "URL"
        case _:
            return "text"


def _limits(schema: dict[str, Any]) -> str:
    return ", ".join(text.format(f"{schema[name]:g}") for name, text in _LIMITS.items() if name in schema)


def _extra(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}
