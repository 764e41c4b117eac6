"""The HTTP side that all services share: problems (RFC 9457), health, metrics, request meters, trace context."""

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.common import Text
from contracts.problem import Catalogue
from contracts.refusal import Refusal
from kit import bodies, meters, openapi, validation
from kit.errors import OverloadedError, TransientError
from kit.health import MoreMetrics, Trouble, add_health, add_metrics, no_more_metrics
from kit.logging import get_logger
from kit.problems import PROBLEMS

__all__ = ["MoreMetrics", "Trouble", "create_app", "document_of", "page_of", "problem"]

log = get_logger(__name__)

PROBLEM_JSON: Final = "application/problem+json"
TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)

_MOST_ERRORS: Final = 100
_TRACEPARENT: Final = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TAGS: Final = {
    "admin": "For operators: parked events, redrive, how far behind the service is.",
    "health": "For whoever runs the service: is it alive, is it ready, its metrics.",
}
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


def create_app(
    *,
    service: str,
    title: str,
    description: str,
    trouble: Mapping[str, Trouble],
    stuck: Trouble = lambda: None,
    more_metrics: MoreMetrics = no_more_metrics,
    body_limits: Mapping[str, int] | None = None,
    own_problems: Catalogue | None = None,
    tags: Mapping[str, str] | None = None,
) -> FastAPI:
    """Return the service's application with the calls and errors that every service has.

    ``trouble`` maps each part that readiness depends on to a function that says what is missing, or None.
    ``stuck`` says why only a new process can go on, or None.
    ``more_metrics`` renders, at each scrape, what this process does not count itself.
    ``body_limits`` maps paths whose bodies may be larger than MAX_BODY_BYTES to how large, in bytes.
    ``own_problems`` are the codes of the service's own refusals, ``tags`` says what its groups of calls are for.
    """
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        openapi_url="/openapi.json",
        docs_url="/docs",
        generate_unique_id_function=openapi.operation_id,
    )
    app.state.problems = {**PROBLEMS, **(own_problems or {})}
    app.state.tags = {**(tags or {}), **_TAGS}
    app.openapi = partial(document_of, app)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    add_health(app, service, trouble, stuck)
    add_metrics(app, more_metrics)
    _add_errors(app)
    app.add_middleware(_Edge, body_limits=body_limits or {})
    return app


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application that has all of its routes; it is made once."""
    if app.openapi_schema is None:
        app.openapi_schema = openapi.describe(app, app.state.problems, app.state.tags)
    return app.openapi_schema


def _add_errors(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OverloadedError, _overloaded)
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
        return _refused_body(request, error)
    code = _BY_STATUS.get(error.status_code, "malformed_request" if error.status_code < 500 else "internal_error")
    known = PROBLEMS[code]
    text = Text(zh=f"{known.meaning.zh}{known.cure.zh}", en=f"{known.meaning.en} {known.cure.en}")
    headers = {"allow": _allowed(request)} if code == "method_not_allowed" else dict(error.headers or {})
    return problem(request, known.status[0], code, text, headers=headers)


def _allowed(request: Request) -> str:
    """Return every method that this path takes; the framework names those of one route only."""
    found = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in found for method in getattr(route, "methods", None) or ()}))


def _refused_body(request: Request, error: bodies.RefusedBodyError) -> Response:
    refusal = error.refusal
    said = refusal.text.in_language(language_of(request))
    field = {"pointer": refusal.pointer, "type": error.kind, "detail": said}
    more: dict[str, Any] = {"errors": [field]} if error.kind else {}
    return problem(request, refusal.status, refusal.code, refusal.text, pointer=refusal.pointer, **more)


async def _overloaded(request: Request, error: Exception) -> Response:
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


def page_of(rows: list[dict[str, Any]], limit: int, identifier: str) -> dict[str, Any]:
    """Return a page of at most ``limit`` rows; ask the database for one more, so that the end is known."""
    more = len(rows) > limit
    rows = rows[:limit]
    return {"items": rows, "next_cursor": str(rows[-1][identifier]) if more else None}


class _Edge:
    """The outermost layer: trace context, what no request may hold, time and count of each. Plain ASGI, for speed."""

    def __init__(self, app: ASGIApp, body_limits: Mapping[str, int]) -> None:
        self._app = app
        self._body_limits = body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        TRACEPARENT.set(_traceparent(headers))
        limit = self._body_limits.get(scope["path"], bodies.MAX_BODY_BYTES)
        refused = _refused_unread(scope, headers.get(b"content-length"), limit)
        if refused is not None:
            await refused(scope, receive, send)
            return
        is_json = headers.get(b"content-type", b"").lower().startswith(b"application/json")
        await self._measured(scope, bodies.guarded(receive, limit, is_json=is_json), send)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            meters.HTTP_REQUESTS.labels(scope["method"], route, status).inc()
            meters.HTTP_SECONDS.labels(scope["method"], route).observe(time.perf_counter() - started)


def _refused_unread(scope: Scope, length: bytes | None, limit: int) -> Response | None:
    """Return the answer to a request that is refused by its first lines, or None."""
    if length is not None and not length.isdigit():
        text = Text(zh="Content-Length 须为非负整数。", en="Content-Length has to be a whole number.")
        return problem(Request(scope), 400, "malformed_request", text)
    if length is not None and int(length) > limit:
        return _refused_body(Request(scope), bodies.too_large(limit))
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        place = "path" if "\0" in scope["path"] else "query"
        return _refused_body(Request(scope), bodies.holds_nul(place))
    return None


def _traceparent(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's trace context where it is one (W3C Trace Context, version 00), else a new one."""
    given = headers.get(b"traceparent", b"").decode("latin-1")
    return given if _TRACEPARENT.fullmatch(given) else _new_traceparent()


def _new_traceparent() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
