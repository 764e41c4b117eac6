"""How long a caller's connection is borne with: for the head of a request, for its body, and for reading the answer.

uvicorn has a limit for idle connections and no other: whoever sends a byte a minute, or never reads, would keep a
connection, and what belongs to it, for ever. A body that is late is answered 408; of the others only the connection
is known, and it is closed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contracts.common import Text

SILENT_SECONDS: Final = 30.0
"""As long as a connection may be silent between two requests, it may be so before the first."""
HEAD_SECONDS: Final = 10.0
READING_SECONDS: Final = 30.0
BODY_SECONDS: Final = 10.0
SLOWEST_BYTES_PER_SECOND: Final = 16 * 1024
"""A body has BODY_SECONDS, and longer while it comes at least this fast."""
_LATE: Final = "drawdown.body_late"


class BodyTooLateError(HTTPException):
    """A kind of HTTPException, because FastAPI makes a 400 of whatever else is raised while it reads a body."""

    def __init__(self) -> None:
        super().__init__(408)
        self.text = Text(
            zh=f"请求体未及时送达：{BODY_SECONDS:.0f} 秒后须不低于每秒 {SLOWEST_BYTES_PER_SECOND // 1024} KiB。"
            "请用同一 Idempotency-Key 重试。",
            en=f"The body did not come in time: after {BODY_SECONDS:.0f} s it has to come at "
            f"{SLOWEST_BYTES_PER_SECOND // 1024} KiB a second. Try again with the same Idempotency-Key.",
        )


def in_time(scope: Scope, receive: Receive) -> Receive:
    """Return a ``receive`` that raises BodyTooLateError when the body comes too slowly (``PatientProtocol``)."""

    async def receiving() -> Message:
        message = await receive()
        if scope.get(_LATE) and message.get("more_body"):
            raise BodyTooLateError
        return message

    return receiving


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits for heads, bodies, and for reading the answer.

    A timer runs only for what did not come at once. It costs the others nothing.
    """

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _in_head = True
    _began = 0.0
    _seen = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait(SILENT_SECONDS, self.transport.abort)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._end()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            if self._timer is None:
                self._wait(HEAD_SECONDS, self.transport.abort)
        elif not self.cycle.more_body:
            self._end()
        elif self._seen:
            self._seen += len(data)
        else:
            self._seen, self._began = len(data), self.loop.time()
            self._wait(BODY_SECONDS, self._look_at_body)

    def _look_at_body(self) -> None:
        """Go on waiting while the body comes fast enough, or waits itself, for us to read it."""
        self._timer = None
        due = self._began + BODY_SECONDS + self._seen / SLOWEST_BYTES_PER_SECOND
        if self.cycle.body or due > self.loop.time():
            self._wait(max(1.0, due - self.loop.time()), self._look_at_body)
            return
        cast(dict[str, Any], self.cycle.scope)[_LATE] = True
        self.cycle.message_event.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_unread()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._end_unread()
        super().connection_lost(exc)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._end()
        self._timer = self.loop.call_later(seconds, then)

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._seen = 0
