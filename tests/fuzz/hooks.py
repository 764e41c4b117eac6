"""What schemathesis is told beyond the documents: how to make a company's number, and two checks of our own.

It loads this file by SCHEMATHESIS_HOOKS; `tests.fuzz.runs` sets that.
"""

from collections.abc import Iterator
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from stdnum.cn import uscc

_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_FIRST_17: Final = st.tuples(
    st.text("0123456789", min_size=6, max_size=6), st.text(_CHARACTERS, min_size=9, max_size=9)
).map(lambda parts: "91" + "".join(parts))
schemathesis.openapi.format("uscc", _FIRST_17.map(lambda body: body + uscc.calc_check_digit(body)))

# What JSON Schema has no words for: two fields that do not fit together (an end before its beginning); the limits of
# what stands in free-form parts; and that a whole number is not written as 12.0, which the contract refuses for money.
_UNSAID: Final = {"value_error", "int_type", "number_too_large", "nesting_too_deep", "string_nul", "string_surrogate"}


@schemathesis.check
def understood(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """Data that fit the document are never refused for their shape."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code not in (400, 415, 422):
        return
    said = response.json()
    fields = said.get("errors", [said])
    if said["code"] in ("malformed_json", "malformed_request", "unsupported_media_type"):
        raise AssertionError(f"data that fit the document are refused: {said}")
    if said["code"] == "validation_failed" and any(one.get("type") not in _UNSAID for one in fields):
        raise AssertionError(f"data that fit the document are refused: {said}")


@schemathesis.check
def documented(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """An answer has no field that the document does not have."""
    raw = case.operation.schema.raw_schema
    answers = raw["paths"][case.operation.path][case.operation.method.lower()]["responses"]
    content = answers.get(str(response.status_code), {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is not None:
        unknown = sorted(set(undocumented(response.json(), schema, raw["components"]["schemas"], "")))
        if unknown:
            raise AssertionError(f"the document has no such fields: {unknown}")


def undocumented(value: Any, schema: dict[str, Any], schemas: dict[str, Any], place: str) -> Iterator[str]:
    """Yield the places of fields that a schema does not name; where it allows any, none is unknown."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    if choices := schema.get("anyOf"):
        found = [list(undocumented(value, one, schemas, place)) for one in choices if _is_kind(value, one, schemas)]
        yield from min(found, key=len, default=[])
    elif isinstance(value, list) and "items" in schema:
        for each in value:
            yield from undocumented(each, schema["items"], schemas, f"{place}/*")
    elif isinstance(value, dict) and "properties" in schema:
        for name, held in value.items():
            if name in schema["properties"]:
                yield from undocumented(held, schema["properties"][name], schemas, f"{place}/{name}")
            elif not schema.get("additionalProperties"):
                yield f"{place}/{name}"


def _is_kind(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    kinds: dict[str, type | tuple[type, ...]] = {"object": dict, "array": list, "null": type(None)}
    return isinstance(value, kinds.get(schema.get("type", ""), (str, int, float, bool)))
