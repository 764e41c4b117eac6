"""The OpenAPI 3.1 document of a service: what its routes say of themselves, and what every call may answer.

A route says what it answers when all goes well and which refusals are its own, by `**call(...)`. The problems that any
such call may answer (no token, a body that is no JSON, overload) follow from its parts, and are added here. So are the
examples, made of the fields' own, and the links from an identifier in an answer to the calls that take it. Answers are
described, not checked: a call on the hot path writes its bytes itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from contracts.problem import Catalogue
from kit.openapi_examples import Examples
from kit.openapi_links import add_links, operations, resolved

PROBLEM_JSON: Final = "application/problem+json"
_SCHEMAS: Final = "#/components/schemas/"
_OWN: Final = "x-refuses"
_REQUIRED: Final = "x-required"

_HEADERS: Final = {
    "ETag": "the version of what is answered; hand it back in If-Match",
    "Location": "where what was made can be read",
    "Retry-After": "wait for so many seconds before the next try",
    "WWW-Authenticate": "what token is wanted (RFC 6750)",
    "Content-Language": "the language of the texts: zh-CN or en",
    "Content-Disposition": "the name to keep it under",
    "Content-Range": "which bytes of how many these are",
    "Accept-Ranges": "says that parts can be asked for",
}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. Build on `code` and `pointer`; texts may change. All codes: docs/reference/problems.md.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "urn:drawdown:problem:<code>"},
        "title": {"type": "string", "description": "the code in a few words, always the same"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "description": "stable: build on it"},
        "detail": {"type": "string", "description": "what is wrong this time, and what would cure it"},
        "pointer": {"type": "string", "description": "JSON Pointer of the field to change, or `query:limit` and such"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
    },
}
_FIELD_ERROR: Final = {
    "type": "object",
    "title": "FieldError",
    "description": "One field that can't be taken.",
    "required": ["pointer", "type", "detail"],
    "properties": {
        "pointer": {"type": "string", "description": "JSON Pointer of the field"},
        "type": {"type": "string", "description": "the kind of error, for machines"},
        "detail": {"type": "string", "description": "what is wrong with it"},
    },
}


def call(
    answer: Any = None,
    *,
    status: int = 200,
    refuses: Sequence[str] = (),
    headers: Sequence[str] = (),
    media: Mapping[str, Any] | None = None,
    more: Mapping[int, Mapping[str, Any]] | None = None,
    example: Any = None,
    **extra: Any,
) -> dict[str, Any]:
    """Return what a route's decorator takes to describe its answer: a model, or ``media`` by content type.

    ``refuses`` are the codes of the route's own refusals, ``more`` other answers than problems, by status, ``example``
    an answer that replaces the one made of the fields' examples, ``extra`` what else belongs into the operation.
    """
    said: dict[str, Any] = {"description": "Done", "headers": {name: _header(name) for name in headers}}
    if answer is not None:
        said["model"] = answer
    content: dict[str, Any] = dict(media or {})
    if example is not None:
        content["application/json"] = {"example": example}
    if content:
        said["content"] = content
    responses: dict[int, Any] = {status: said, **{number: dict(each) for number, each in (more or {}).items()}}
    return {"status_code": status, "responses": responses, "openapi_extra": {_OWN: list(refuses), **extra}}


def required() -> dict[str, Any]:
    """Return what marks a header that is asked for by the route itself, with a refusal of its own."""
    return {_REQUIRED: True}


def describe(app: FastAPI, catalogue: Catalogue, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the document. ``tags`` says what each group of calls is for. Raises KeyError on an unknown code."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
        servers=[{"url": "/", "description": "where this service is reached"}],
        tags=[{"name": name, "description": text} for name, text in tags.items()],
    )
    _Finished(document, catalogue).finish()
    return document


def operation_id(route: APIRoute) -> str:
    """Return the route's id: the name of its function, a verb and a noun, so that a generated client reads well."""
    return route.name


class _Finished:
    """A document that FastAPI began, and what it lacks."""

    def __init__(self, document: dict[str, Any], catalogue: Catalogue) -> None:
        self._document = document
        self._catalogue = catalogue
        self._components: dict[str, Any] = document.setdefault("components", {})
        self._used: set[str] = set()

    def finish(self) -> None:
        schemas = self._components.setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas.update(Problem=_PROBLEM, FieldError=_FIELD_ERROR)
        for _, _, operation in operations(self._document):
            self._forget_nulls(operation)
            self._add_problems(operation)
        used = {name for _, _, operation in operations(self._document) for name in _headers_of(operation)}
        self._components["headers"] = {name: _described(text) for name, text in _HEADERS.items() if name in used}
        self._components["examples"] = {code: self._problem_example(code) for code in sorted(self._used)}
        Examples(self._document).fill()
        add_links(self._document)
        self._drop_unused()

    def _drop_unused(self) -> None:
        """Models that only FastAPI's own idea of an answer needed go, with what only they needed."""
        schemas = self._components["schemas"]
        used = set(_references(self._document["paths"]))
        waiting = list(used)
        while waiting:
            more = set(_references(schemas[waiting.pop()])) - used
            used |= more
            waiting += more
        for name in schemas.keys() - used:
            del schemas[name]

    def _forget_nulls(self, operation: dict[str, Any]) -> None:
        """A parameter, or a field of a form, is there or not; it is never null."""
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form is not None:
            fields = resolved(form["schema"], self._components["schemas"])["properties"]
            fields.update({name: _without_null(field) for name, field in fields.items()})

    def _add_problems(self, operation: dict[str, Any]) -> None:
        own = operation.pop(_OWN, [])
        operation.setdefault("security", [])  # said, where none is wanted
        operation["responses"].pop("422", None)
        by_status: dict[int, list[str]] = {}
        for code in dict.fromkeys([*own, *_usual(operation)]):
            for status in self._catalogue[code].status:
                by_status.setdefault(status, []).append(code)
        for status, codes in sorted(by_status.items()):
            if str(status) not in operation["responses"]:
                operation["responses"][str(status)] = self._problem_response(status, codes)
        operation["responses"] = dict(sorted(operation["responses"].items()))

    def _problem_response(self, status: int, codes: list[str]) -> dict[str, Any]:
        self._used |= set(codes)
        lines = [f"- `{code}`: {self._catalogue[code].meaning.en}" for code in codes]
        names = ["Content-Language"]
        names += ["WWW-Authenticate"] if status in (401, 403) else []
        names += ["Retry-After"] if status in (429, 503) else []
        return {
            "description": "\n".join(lines),
            "headers": {name: _header(name) for name in names},
            "content": {
                PROBLEM_JSON: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
                }
            },
        }

    def _problem_example(self, code: str) -> dict[str, Any]:
        found = self._catalogue[code]
        value = {
            "type": f"urn:drawdown:problem:{code}",
            "title": found.title.en,
            "status": found.status[0],
            "code": code,
            "detail": f"{found.meaning.en} {found.cure.en}",
        }
        return {"summary": found.title.en, "value": value}


def _usual(operation: dict[str, Any]) -> list[str]:
    """Return the codes that follow from an operation's parts."""
    codes: list[str] = []
    for parameter in operation.get("parameters", []):
        if parameter.get("name", "").lower() == "idempotency-key":
            needed = parameter["schema"].pop(_REQUIRED, False)
            codes += ["idempotency_key_reused"] + (["idempotency_key_missing"] if needed else [])
            parameter["required"] = needed
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        codes += ["body_too_late", "body_too_large", "unsupported_media_type"]
        codes += ["malformed_json"] if "application/json" in content else []
    if operation.get("security"):
        codes += ["token_missing", "token_invalid", "scope_missing", "issuer_unavailable", "access_not_configured"]
    if "health" not in operation.get("tags", []):  # whoever watches is never counted
        codes.append("rate_limited")
    return [*codes, "malformed_request", "validation_failed", "overloaded", "unavailable", "internal_error"]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _headers_of(operation: dict[str, Any]) -> Iterator[str]:
    for response in operation["responses"].values():
        yield from response.get("headers", {})


def _references(part: Any) -> Iterator[str]:
    """Yield the names of the schemas that a part of the document refers to."""
    if isinstance(part, dict):
        place = part.get("$ref")
        if isinstance(place, str) and place.startswith(_SCHEMAS):
            yield place.removeprefix(_SCHEMAS)
        for held in part.values():
            yield from _references(held)
    elif isinstance(part, list):
        for held in part:
            yield from _references(held)


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _described(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}
