"""The HTTP side that all services share: problems (RFC 9457), health, metrics, request meters, trace context."""

import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.common import Text
from contracts.refusal import Refusal
from kit import meters
from kit.errors import OverloadedError, TransientError
from kit.logging import get_logger
from kit.patience import BodyTooLateError, in_time
from kit.shortcuts import Headers, Shortcut, Shortcuts, again, send_answer, whole_body

log = get_logger(__name__)

PROBLEM_JSON: Final = "application/problem+json"
MAX_BODY_BYTES: Final = 1024 * 1024
TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)

Trouble = Callable[[], str | None]
MoreMetrics = Callable[[], Awaitable[bytes]]
Handler = Callable[[Request, Exception], Awaitable[Response]]

_TITLES: Final = {
    "validation_failed": Text(zh="请求内容有误", en="The request is not valid"),
    "malformed_json": Text(zh="请求体不是有效的 JSON", en="The body is not JSON"),
    "body_too_large": Text(zh="请求体过大", en="The body is too large"),
    "body_too_late": Text(zh="请求体接收超时", en="The body came too slowly"),
    "token_missing": Text(zh="需要访问令牌", en="An access token is needed"),
    "token_invalid": Text(zh="访问令牌无效", en="The access token is not valid"),
    "scope_missing": Text(zh="访问令牌权限不足", en="The access token does not allow this"),
    "issuer_unavailable": Text(zh="暂时无法核验访问令牌", en="Access tokens can't be checked right now"),
    "access_not_configured": Text(zh="未配置令牌签发方", en="No issuer of access tokens is configured"),
    "not_found": Text(zh="未找到", en="Not found"),
    "method_not_allowed": Text(zh="不支持该方法", en="Method not allowed"),
    "overloaded": Text(zh="系统繁忙", en="The service is busy"),
    "unavailable": Text(zh="服务暂不可用", en="The service is not available right now"),
    "internal_error": Text(zh="内部错误", en="Internal error"),
}


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
        "title": _TITLES.get(code, detail).in_language(language),
        "status": status,
        "code": code,
        "detail": detail.in_language(language),
        **({"pointer": pointer} if pointer is not None else {}),
        **more,
    }
    content = json.dumps(body, ensure_ascii=False).encode()
    return Response(content, status, {"content-language": language, **(headers or {})}, PROBLEM_JSON)


async def _no_more_metrics() -> bytes:
    return b""


def create_app(
    *,
    service: str,
    title: str,
    description: str,
    trouble: dict[str, Trouble],
    stuck: Trouble = lambda: None,
    more_metrics: MoreMetrics = _no_more_metrics,
    body_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """Return the service's application with the calls and errors that every service has.

    ``trouble`` maps each part that readiness depends on to a function that says what is missing, or None.
    ``stuck`` says why only a new process can go on, or None.
    ``more_metrics`` renders, at each scrape, what this process does not count itself.
    ``body_limits`` maps paths whose bodies may be larger than MAX_BODY_BYTES to how large, in bytes.
    """
    app = _Application(title=title, description=description, version="1", openapi_url="/openapi.json", docs_url="/docs")
    app.state.body_limits = body_limits or {}
    app.state.shortcuts = Shortcuts()
    _add_health(app, service, trouble, stuck)
    _add_metrics(app, more_metrics)
    _add_errors(app)
    return app


class _Application(FastAPI):
    """FastAPI behind the edge: what the edge answers by itself does not go through the framework's layers."""

    def build_middleware_stack(self) -> ASGIApp:
        inner = super().build_middleware_stack()
        handlers = cast(Mapping[Any, Handler], self.exception_handlers)  # all of ours are coroutines
        return _Edge(inner, self.state.body_limits, self.state.shortcuts, handlers)


def _add_health(app: FastAPI, service: str, trouble: dict[str, Trouble], stuck: Trouble) -> None:
    @app.get("/health/live", tags=["health"], summary="Is the process alive? If not, start it again")
    async def live(response: Response) -> dict[str, Any]:
        reason = stuck()
        response.status_code = 503 if reason else 200
        return {"status": "stuck" if reason else "alive", "service": service, "reason": reason}

    @app.get("/health/ready", tags=["health"], summary="Can it do its work? If not, what is missing?")
    async def ready(response: Response) -> dict[str, Any]:
        missing = {part: said for part, check in trouble.items() if (said := check()) is not None}
        response.status_code = 503 if missing else 200
        return {"status": "not ready" if missing else "ready", "service": service, "missing": missing}


def _add_metrics(app: FastAPI, more_metrics: MoreMetrics) -> None:
    @app.get("/metrics", tags=["health"], summary="Prometheus metrics of this process")
    async def metrics() -> Response:
        return Response(generate_latest() + await more_metrics(), media_type=CONTENT_TYPE_LATEST)


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
    errors = [_field_error(entry) for entry in error.errors()]
    if errors[0]["type"] == "json_invalid":
        said = errors[0]["detail"]
        return problem(
            request,
            400,
            "malformed_json",
            Text(zh=f"无法解析 JSON：{said}", en=f"Can't parse the JSON: {said}"),
        )
    first = errors[0]
    detail = Text(zh=f"字段 {first['pointer']}：{first['detail']}", en=f"{first['pointer']}: {first['detail']}")
    return problem(request, 422, "validation_failed", detail, pointer=first["pointer"], errors=errors)


def _field_error(entry: dict[str, Any]) -> dict[str, str]:
    place = [str(part) for part in entry["loc"]]
    pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in place[1:])
    where = pointer if place and place[0] == "body" else f"{place[0]}:{'.'.join(place[1:])}"
    return {"pointer": where, "type": entry["type"], "detail": entry["msg"].removeprefix("Value error, ")}


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, _BodyTooLargeError):
        return problem(request, 413, "body_too_large", error.text)
    if isinstance(error, BodyTooLateError):
        return problem(request, 408, "body_too_late", error.text, headers={"connection": "close"})
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    said = str(error.detail)
    return problem(request, error.status_code, code, Text(zh=said, en=said), headers=dict(error.headers or {}))


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
    """The outermost layer: trace context, body limit, time and count of each request. Plain ASGI, for speed."""

    def __init__(
        self, app: ASGIApp, body_limits: Mapping[str, int], shortcuts: Shortcuts, errors: Mapping[Any, Handler]
    ) -> None:
        self._app = app
        self._body_limits = body_limits
        self._shortcuts = shortcuts
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        TRACEPARENT.set(headers.get(b"traceparent", b"").decode("latin-1") or _new_traceparent())
        limit = self._body_limits.get(scope["path"], MAX_BODY_BYTES)
        length = headers.get(b"content-length")
        if length is not None and int(length) > limit:
            await problem(Request(scope), 413, "body_too_large", _BodyTooLargeError(limit).text)(scope, receive, send)
            return
        receive = in_time(scope, receive)
        counted = receive if length is not None else _counted(receive, limit)
        await self._measured(scope, headers, counted, send)

    async def _measured(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        shortcut = self._shortcuts.find(scope, headers)
        try:
            if shortcut is None:
                await self._app(scope, receive, note_status)
            else:
                await self._short(shortcut, scope, headers, receive, note_status)
        finally:
            route = scope["path"] if shortcut else getattr(scope.get("route"), "path", "unmatched")
            _counter(scope["method"], route, status).inc()
            _timer(scope["method"], route).observe(time.perf_counter() - started)

    async def _short(self, shortcut: Shortcut, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Answer by the shortcut, or, where it does not answer, by the route."""
        try:
            body = await whole_body(receive)
            if body is None:  # nobody is there to be answered; it counts as it does where a route finds it out
                await Response(status_code=400)(scope, receive, send)
                return
            answer = await shortcut(scope["path"], headers, body)
        except Exception as error:  # noqa: BLE001  # told apart by the handlers that the routes have
            await (await self._handler(error)(Request(scope), error))(scope, receive, send)
            return
        if answer is None:
            await self._app(scope, again(body, receive), send)
        else:
            await send_answer(answer, send)

    def _handler(self, error: Exception) -> Handler:
        return next(self._errors[kind] for kind in type(error).__mro__ if kind in self._errors)


@lru_cache(maxsize=4096)
def _counter(method: str, route: str, status: int) -> Counter:
    return meters.HTTP_REQUESTS.labels(method, route, status)


@lru_cache(maxsize=1024)
def _timer(method: str, route: str) -> Histogram:
    return meters.HTTP_SECONDS.labels(method, route)


class _BodyTooLargeError(HTTPException):
    """A kind of HTTPException, because FastAPI makes a 400 of whatever else is raised while it reads a body."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.text = Text(zh=f"请求体上限为 {limit} 字节。", en=f"A body has at most {limit} bytes.")


def _counted(receive: Receive, limit: int) -> Receive:
    """Return a ``receive`` that refuses a body that did not say how long it is once it is longer than the limit."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _BodyTooLargeError(limit)
        return message

    return counting


def _new_traceparent() -> str:
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"  # no secret
