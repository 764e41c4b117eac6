"""How refusals and failures are answered: problem documents (RFC 9457) in the caller's language."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from contracts.common import Text
from contracts.problem import Catalogue
from contracts.refusal import Refusal
from kit import bodies, validation
from kit.door import Door
from kit.errors import OverloadedError, TransientError
from kit.logging import get_logger
from kit.patience import BodyTooLateError
from kit.problems import PROBLEMS

log = get_logger(__name__)

Handler = Callable[[Request, Exception], Awaitable[Response]]

PROBLEM_JSON: Final = "application/problem+json"
_MOST_ERRORS: Final = 100
_BY_STATUS: Final = {400: "malformed_request", 404: "not_found", 405: "method_not_allowed"}


def language_of(request: Request) -> str:
    """Return ``zh-CN`` or ``en``: whichever the caller ranks first in Accept-Language; Chinese when it has no wish."""
    for tag in request.headers.get("accept-language", "zh-CN").split(","):
        name = tag.split(";")[0].strip().lower()
        if name.startswith(("zh", "en")):
            return "zh-CN" if name.startswith("zh") else "en"
    return "zh-CN"


def problem(
    request: Request,
    status: int,
    code: str,
    detail: Text,
    *,
    pointer: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return a problem document in the caller's language."""
    language = language_of(request)
    body = {
        "type": f"urn:drawdown:problem:{code}",
        "title": _catalogue(request)[code].title.in_language(language),
        "status": status,
        "code": code,
        "detail": detail.in_language(language),
        **({"pointer": pointer} if pointer is not None else {}),
        **more,
    }
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status, {"content-language": language, **(headers or {})}, PROBLEM_JSON)


def _catalogue(request: Request) -> Catalogue:
    found: Catalogue = request.app.state.problems
    return found


def add_errors(app: FastAPI, door: Door | None) -> None:
    """Let every error that a call may end with be answered. The door hears of the calls that it let in in vain."""

    async def refused_inside(request: Request, error: Exception) -> Response:
        return await overloaded(request, door.refused_inside() if door else error)

    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OverloadedError, refused_inside)
    for kind in (SQLAlchemyError, TransientError, TimeoutError, OSError):
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return problem(request, error.status, error.code, error.text, pointer=error.pointer, headers=error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    entries = error.errors()
    if entries[0]["type"] == "json_invalid":
        said = validation.detail(entries[0])
        text = Text(zh=f"无法解析 JSON：{said.zh}", en=f"Can't parse the JSON: {said.en}")
        return problem(request, 400, "malformed_json", text)
    if (wanted := _wanted_type(request, entries)) is not None:
        text = Text(zh=f"请发送 Content-Type: {wanted}。", en=f"Send Content-Type: {wanted}.")
        return problem(request, 415, "unsupported_media_type", text)
    pointer, said = validation.pointer(entries[0]), validation.detail(entries[0])
    errors = [
        {
            "pointer": validation.pointer(entry),
            "type": entry["type"],
            "detail": validation.detail(entry).in_language(language),
        }
        for entry in entries[:_MOST_ERRORS]
    ]
    text = Text(zh=f"字段 {pointer}：{said.zh}", en=f"{pointer}: {said.en}")
    return problem(request, 422, "validation_failed", text, pointer=pointer, errors=errors)


def _wanted_type(request: Request, entries: Sequence[Any]) -> str | None:
    """Return the content type to send, where the body came as another one and so was not even looked into."""
    if not any(entry["loc"][0] == "body" for entry in entries):
        return None
    parameters = request.scope["route"].dependant.body_params
    wanted = (
        "multipart/form-data" if any(isinstance(each.field_info, Form) for each in parameters) else "application/json"
    )
    sent = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return None if sent == wanted or request.headers.get("content-length") == "0" else wanted


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, bodies.RefusedBodyError):
        return refused_body(request, error)
    if isinstance(error, BodyTooLateError):
        return problem(request, 408, "body_too_late", error.text, headers={"connection": "close"})
    if isinstance(error.__cause__, UnicodeDecodeError):
        return problem(request, 400, "malformed_json", _not_utf8(error.__cause__))
    code = _BY_STATUS.get(error.status_code, "malformed_request" if error.status_code < 500 else "internal_error")
    known = PROBLEMS[code]
    text = Text(zh=f"{known.meaning.zh}{known.cure.zh}", en=f"{known.meaning.en} {known.cure.en}")
    headers = {"allow": _allowed(request)} if code == "method_not_allowed" else dict(error.headers or {})
    return problem(request, known.status[0], code, text, headers=headers)


def _not_utf8(error: UnicodeDecodeError) -> Text:
    place = error.start
    return Text(
        zh=f"请求体第 {place} 个字节处不是 UTF-8，请以 UTF-8 编码发送。",
        en=f"The body is no UTF-8 at byte {place}; send it in UTF-8.",
    )


def _allowed(request: Request) -> str:
    """Return every method that this path takes; the framework names those of one route only."""
    found = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in found for method in getattr(route, "methods", None) or ()}))


def refused_body(request: Request, error: bodies.RefusedBodyError) -> Response:
    """Return the answer to a body that nobody should parse."""
    refusal = error.refusal
    said = refusal.text.in_language(language_of(request))
    field = {"pointer": refusal.pointer, "type": error.kind, "detail": said}
    more: dict[str, Any] = {"errors": [field]} if error.kind else {}
    return problem(request, refusal.status, refusal.code, refusal.text, pointer=refusal.pointer, **more)


async def overloaded(request: Request, error: Exception) -> Response:
    """Return the answer to a call that found too many before it: nothing of it is done."""
    assert isinstance(error, OverloadedError)
    text = Text(zh="请稍后重试。", en="Come back a little later.")
    return problem(request, 503, "overloaded", text, headers={"retry-after": str(error.retry_after_seconds)})


async def _unavailable(request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and not error.connection_invalidated and _is_our_fault(error):
        return await _failed(request, error)
    log.warning(
        "request_unavailable",
        path=request.url.path,
        error_class=type(error).__name__,
        reason=str(error)[:200],
    )
    text = Text(
        zh="系统暂时无法处理，请用同一 Idempotency-Key 重试。",
        en="It can't be done right now. Try again with the same Idempotency-Key.",
    )
    return problem(request, 503, "unavailable", text, headers={"retry-after": "1"})


def _is_our_fault(error: DBAPIError) -> bool:
    return str(getattr(error.orig, "sqlstate", "") or "").startswith(("22", "23", "42"))


async def _failed(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, error_class=type(error).__name__, exc_info=error)
    text = Text(zh="发生内部错误，已记录。", en="Something went wrong here; it has been recorded.")
    return problem(request, 500, "internal_error", text)
