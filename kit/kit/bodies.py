"""What no body may hold, found before anybody parses it: too many bytes, too much nesting, what can't be stored.

PostgreSQL stores no U+0000, UTF-8 has no lone surrogates, and a number beyond 2^53 - 1 is another one to half of all
readers. Looking for that costs a few microseconds: a body is decoded here only where its bytes look suspicious.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from contracts.common import Text
from contracts.money import LARGEST_EXACT_INTEGER
from contracts.refusal import Refusal

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
# What stands where a number stands. Account numbers and identifiers are texts, and common: they must not look like one.
_SUSPICIOUS: Final = re.compile(rb"(?:^|[:,\[\s])-?(?:[0-9]{16}|[0-9.]+[eE]\+?[0-9]{2}|NaN|Infinity)")
_ESCAPE: Final = rb"\u"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUL: Final = Text(zh="含有字符 U+0000，请删除", en="holds the character U+0000; take it out")
_LONE: Final = Text(zh="含有不成对的代理字符，请删除", en="holds half of a surrogate pair; take it out")
_DEEP: Final = Text(zh=f"嵌套不得超过{MAX_DEPTH}层", en=f"is nested too deep; {MAX_DEPTH} levels at most")
_LARGE: Final = Text(
    zh=f"数值绝对值不得超过 {LARGEST_EXACT_INTEGER}",
    en=f"is no number from -{LARGEST_EXACT_INTEGER} to {LARGEST_EXACT_INTEGER}",
)
_LONGEST_INTEGER: Final = 20  # digits; Python refuses to read some thousand of them
_READ: Final = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf)


class RefusedBodyError(HTTPException):
    """A kind of HTTPException, because FastAPI makes a 400 of whatever else is raised while it reads a body."""

    def __init__(self, refusal: Refusal, kind: str | None = None) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal
        self.kind = kind  # of a field's error


def too_large(limit: int) -> RefusedBodyError:
    """Return the error for a body of more than so many bytes."""
    zh, en = f"请求体上限为 {limit} 字节。", f"A body has at most {limit} bytes."
    return RefusedBodyError(Refusal("body_too_large", zh, en, status=413))


def guarded(receive: Receive, limit: int, *, is_json: bool) -> Receive:
    """Return a ``receive`` that raises RefusedBodyError once a body is too long, or JSON that nobody should parse."""
    seen = 0
    pieces: list[bytes] = []

    async def guarding() -> Message:
        nonlocal seen
        message = await receive()
        piece = message.get("body", b"")
        seen += len(piece)
        if seen > limit:
            raise too_large(limit)
        if is_json and message["type"] == "http.request":
            pieces.append(piece)
            if not message.get("more_body", False):
                check(b"".join(pieces))
        return message

    return guarding


def check(body: bytes) -> None:
    """Raise RefusedBodyError, with a pointer, for JSON that is nested too deep or holds what can't be kept."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _refused("", "nesting_too_deep", _DEEP)
    if _ESCAPE in body or _SUSPICIOUS.search(body):
        found = next(_offences(_decoded(body), ""), None)
        if found is not None:
            raise _refused(*found)


def _depth(body: bytes) -> int:
    """Return how deep brackets nest, outside of strings."""
    deepest = depth = 0
    for token in re.finditer(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]', body, re.DOTALL):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                deepest = max(deepest, depth)
            case b"]" | b"}":
                depth -= 1
            case _:
                pass
    return deepest


def _decoded(body: bytes) -> Any:
    """Return the content; None for what is no JSON, which its parser will say better."""
    try:
        return _READ.decode(body.decode())
    except ValueError:
        return None


def _offences(value: Any, pointer: str) -> Iterator[tuple[str, str, Text]]:
    match value:
        case str():
            if "\0" in value:
                yield pointer, "string_nul", _NUL
            elif _SURROGATE.search(value):
                yield pointer, "string_surrogate", _LONE
        case dict():
            for name, held in value.items():
                place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
                for offence in _offences(name, ""):
                    yield pointer, *offence[1:]
                yield from _offences(held, place)
        case list():
            for position, held in enumerate(value):
                yield from _offences(held, f"{pointer}/{position}")
        case bool():
            return
        case int() | float():
            if not -LARGEST_EXACT_INTEGER <= value <= LARGEST_EXACT_INTEGER:
                yield pointer, "number_too_large", _LARGE


def holds_nul(place: str) -> RefusedBodyError:
    """Return the error for an address with U+0000 in its path or query."""
    return _refused(place, "string_nul", Text(zh=f"{place} {_NUL.zh}", en=f"the {place} {_NUL.en}"))


def _refused(pointer: str, kind: str, text: Text) -> RefusedBodyError:
    refusal = Refusal("validation_failed", text.zh, text.en, status=422, pointer=pointer)
    return RefusedBodyError(refusal, kind)
