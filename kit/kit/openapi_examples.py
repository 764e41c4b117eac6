"""Examples of bodies and answers, made of the examples that the fields have, so that they follow every change."""

from typing import Any, Final

_BY_FORMAT: Final = {
    "uuid": "01a20408-5fa5-7442-b3c5-d03ff5eb2e7b",
    "date-time": "2026-03-02T01:30:00Z",
    "date": "2026-03-01",
    "binary": "",
}
_BY_TYPE: Final = {"integer": 1, "number": 1, "boolean": False, "string": "text", "null": None}


class Examples:
    """A document whose bodies and answers get an example each, where they have none."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._schemas: dict[str, Any] = document["components"]["schemas"]

    def fill(self) -> None:
        """Add what is missing, in place."""
        for item in self._document["paths"].values():
            for operation in item.values():
                for content in self._contents(operation):
                    self._add(content)

    def _contents(self, operation: dict[str, Any]) -> list[dict[str, Any]]:
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        kinds = ("application/json", "multipart/form-data")
        return [body["content"][kind] for body in bodies for kind in kinds if kind in body.get("content", {})]

    def _add(self, content: dict[str, Any]) -> None:
        if "example" not in content and "examples" not in content:
            content["example"] = self.of(content["schema"])

    def of(self, schema: dict[str, Any]) -> Any:
        """Return a value that fits a schema."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rsplit("/", 1)[-1]]
        for given in ("example", "const"):
            if given in schema:
                return schema[given]
        if schema.get("examples") or schema.get("enum"):
            return (schema.get("examples") or schema["enum"])[0]
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return self.of(next((one for one in schema[choice] if one.get("type") != "null"), schema[choice][0]))
        return self._of_type(schema)

    def _of_type(self, schema: dict[str, Any]) -> Any:
        kind = schema.get("type", "object")
        if kind == "object":
            return {name: self.of(field) for name, field in schema.get("properties", {}).items()}
        if kind == "array":
            return [self.of(schema["items"])] if schema.get("items") else []
        if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        return schema.get("minimum", _BY_TYPE[kind])
