"""The outermost layer of a service's HTTP side: trace context, limits, the door, time and count of each request.

Plain ASGI, for speed. What it answers by itself does not go through the framework's layers.
"""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.common import Text
from kit import bodies, meters, tracing
from kit.door import Door
from kit.errors import OverloadedError
from kit.limits import Caller, Limits
from kit.patience import in_time
from kit.refusing import Handler, overloaded, problem, refused_body
from kit.shortcuts import Headers, Shortcut, Shortcuts, again, send_answer, whole_body
from kit.tracing import TRACEPARENT

if TYPE_CHECKING:
    from kit.spans import Request as RequestSpan

_READ_AHEAD_BYTES: Final = 32 * 1024  # of each call that waits at the door


class Edge:
    """The outermost layer: trace context, limits, time and count of each request. Plain ASGI, for speed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_limits: Mapping[str, int],
        shortcuts: Shortcuts,
        errors: Mapping[Any, Any],
        limits: Limits | None,
        door: Door | None,
    ) -> None:
        self._app = app
        self._body_limits = body_limits
        self._shortcuts = shortcuts
        self._errors = errors
        self._limits = limits
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        parent, spans = tracing.parse(headers.get(b"traceparent")), tracing.spans()
        request = spans.request(scope["method"], scope["path"], parent) if spans else None
        TRACEPARENT.set(request.traceparent if request else parent or tracing.fresh())
        limit = self._body_limits.get(scope["path"], bodies.MAX_BODY_BYTES)
        refused = _refused_unread(scope, headers.get(b"content-length"), limit)
        if refused is not None:
            await refused(scope, receive, send)
            if request:
                request.end("unread", refused.status_code, scope)
            return
        is_json = headers.get(b"content-type", b"").lower().startswith(b"application/json")
        guarded = bodies.guarded(in_time(scope, receive), limit, is_json=is_json)
        await self._measured(scope, headers, guarded, send, request)

    async def _admitted(
        self, shortcut: Shortcut | None, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> None:
        caller: Caller | None = None
        try:
            caller = self._limits.admit(scope, headers) if self._limits else None
            if self._door:
                receive = await _read_ahead(headers, receive)
                await self._door.enter(scope)
        except OverloadedError as error:
            await (await overloaded(Request(scope), error))(scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001  # told apart by the handlers that the routes have
            await (await self._handler(error)(Request(scope), error))(scope, receive, send)
            return
        try:
            if shortcut is None:
                await self._app(scope, receive, send)
            else:
                await self._short(shortcut, scope, headers, receive, send)
        finally:
            if self._limits and caller:
                self._limits.settle(caller, scope)

    async def _measured(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request: "RequestSpan | None"
    ) -> None:
        started = time.perf_counter()
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        shortcut = self._shortcuts.find(scope, headers)
        try:
            await self._admitted(shortcut, scope, headers, receive, note_status)
        finally:
            route = scope["path"] if shortcut else getattr(scope.get("route"), "path", "unmatched")
            _counter(scope["method"], route, status).inc()
            _timer(scope["method"], route).observe(time.perf_counter() - started)
            if request:
                request.end(route, status, scope)

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
        found: Handler = next(self._errors[kind] for kind in type(error).__mro__ if kind in self._errors)
        return found


@lru_cache(maxsize=4096)
def _counter(method: str, route: str, status: int) -> Counter:
    return meters.HTTP_REQUESTS.labels(method, route, status)


@lru_cache(maxsize=1024)
def _timer(method: str, route: str) -> Histogram:
    return meters.HTTP_SECONDS.labels(method, route)


def _refused_unread(scope: Scope, length: bytes | None, limit: int) -> Response | None:
    """Return the answer to a request that is refused by its first lines, or None."""
    if length is not None and not length.isdigit():
        text = Text(zh="Content-Length 须为非负整数。", en="Content-Length has to be a whole number.")
        return problem(Request(scope), 400, "malformed_request", text)
    if length is not None and int(length) > limit:
        return refused_body(Request(scope), bodies.too_large(limit))
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        place = "path" if "\0" in scope["path"] else "query"
        return refused_body(Request(scope), bodies.holds_nul(place))
    return None


async def _read_ahead(headers: Headers, receive: Receive) -> Receive:
    """Return a ``receive`` that has a short body whole: who has sent it and hangs up in line undoes nothing."""
    if not 0 < int(headers.get(b"content-length", b"0")) <= _READ_AHEAD_BYTES:
        return receive
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    else:
        message = {"type": "http.request", "body": body, "more_body": False}
    first: list[Message] = [message]

    async def repeated() -> Message:
        return first.pop() if first else await receive()

    return repeated
