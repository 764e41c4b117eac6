"""The links of an OpenAPI document: from an identifier in an answer to the calls that take it."""

from collections.abc import Iterator, Mapping
from typing import Any


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Return path, method and operation of every call."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def add_links(document: dict[str, Any]) -> None:
    """Link each identifier that an answer holds with the calls on what it names (OpenAPI 3.1, Link Object)."""
    takers: dict[str, list[str]] = {}
    for path, _, operation in operations(document):
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if len(names) == 1:
            takers.setdefault(names[0], []).append(operation["operationId"])
    schemas = document["components"]["schemas"]
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if not status.startswith("2") or schema is None:
                continue
            links = _links(schema, schemas, takers, operation["operationId"])
            if links:
                response["links"] = links


def _links(
    schema: dict[str, Any], schemas: dict[str, Any], takers: Mapping[str, list[str]], own: str
) -> dict[str, dict[str, Any]]:
    links: dict[str, dict[str, Any]] = {}
    for name, pointer in _identifiers(schema, schemas):
        for taker in takers.get(name, []):
            if taker != own:
                links.setdefault(taker, {"operationId": taker, "parameters": {name: f"$response.body#{pointer}"}})
    return links


def _identifiers(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the fields of an answer that name something, with their pointers; of a page, those of its first item."""
    fields = resolved(schema, schemas).get("properties", {})
    for name, field in fields.items():
        yield name, f"/{name}"
        for inner in resolved(_present(field), schemas).get("properties", {}):
            yield inner, f"/{name}/{inner}"
    items = fields.get("items", {}).get("items")
    if items is not None:
        for name in resolved(items, schemas).get("properties", {}):
            yield name, f"/items/0/{name}"


def _present(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field that is there, where it may be null."""
    return next((one for one in field.get("anyOf", []) if "$ref" in one), field)


def resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema itself, where another one was named."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    return schema
