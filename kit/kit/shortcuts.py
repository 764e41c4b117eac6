"""Short ways past the framework, for calls that come by the thousand.

A shortcut answers a request that is all as it should be. Whatever is not (a token that is new, a body that is wrong, a
header that is missing) it leaves to the route of the same path, which gets the body again and says what is wrong. So
there is one place for refusals and one for the document of the calls, and a shortcut changes nothing but the time.
What it saves: docs/decisions/0016.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.types import Message, Receive, Scope, Send

from kit.idempotency import Answer

Headers: TypeAlias = Mapping[bytes, bytes]
Shortcut: TypeAlias = Callable[[str, Headers, bytes], Awaitable[Answer | None]]
"""Takes path, headers and body; returns the answer, or None, and then it has done nothing."""


class Shortcuts:
    """The shortcuts of an application, by method and path."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Shortcut] = {}

    def add(self, method: str, path: str, shortcut: Shortcut) -> None:
        """Let ``shortcut`` try first what the route of this method and path answers."""
        self._known[method, path] = shortcut

    def find(self, scope: Scope, headers: Headers) -> Shortcut | None:
        """Return the shortcut for a request, if it is one whose headers mean the same to everybody."""
        shortcut = self._known.get((scope["method"], scope["path"]))
        if shortcut is None or scope.get("root_path") or len(headers) != len(scope["headers"]):
            return None
        is_json = headers.get(b"content-type", b"").startswith(b"application/json")
        return shortcut if is_json and b"content-length" in headers else None


async def whole_body(receive: Receive) -> bytes | None:
    """Return the body; None when the caller went away while sending it."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


def again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives this body, and then what comes after it."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer, as ``kit.writes.response_of`` would."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers += [(b"content-length", b"%d" % len(answer.body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
