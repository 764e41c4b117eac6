"""One stream of server-sent events (WHATWG HTML, section 9.2): what was missed, then what comes, until its end.

Whoever does not read is left: nothing is written before the last piece was taken, and each piece has a time-out. What
piles up meanwhile is bounded (``hub``); whoever reads slowly catches up from the database, page by page.
"""

import asyncio
import random
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from fastapi import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from intake.push.hub import Hub, Stream
from intake.push.records import STREAM_GAP, STREAM_POSITION, Push
from kit.database import describe
from kit.logging import get_logger

log = get_logger(__name__)

_BYE_SECONDS: Final = 2.0
_RETRY_MS: Final = (1_000, 5_000)  # different for each, so that a crowd does not come back as one


class Manner(msgspec.Struct, frozen=True):
    """How a stream is kept, in seconds; ``most_waiting`` in events."""

    heartbeat_seconds: float = 15.0
    write_seconds: float = 20.0
    position_seconds: float = 3600.0
    most_seconds: float = 3600.0
    most_waiting: int = 1_000


class Gap(msgspec.Struct, frozen=True):
    """Told to a client whose last id can't be gone on from: ``forgotten`` is too old, ``unknown`` was never given."""

    requested: str
    reason: str
    resumed_after: str
    cure: str = "What changed between the two is no longer told here: read GET /v1/applications?... once."


class EventStream(Response):
    """The response that goes on. The stream has entered the hub already, and leaves it here."""

    def __init__(self, hub: Hub, stream: Stream, manner: Manner, gap: Gap | None) -> None:
        super().__init__(
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no", "connection": "close"},
        )
        del self.headers["content-length"]
        self._hub = hub
        self._stream = stream
        self._manner = manner
        self._gap = gap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write until the client goes away or the stream ends; leave the hub in any case."""
        gone = asyncio.create_task(_gone(receive), name="stream-reader")
        writing = asyncio.create_task(self._write(send), name="stream-writer")
        try:
            await asyncio.wait({gone, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._stream)
            for task in (gone, writing):
                task.cancel()
            await asyncio.wait({gone, writing})
        if not writing.cancelled():
            writing.result()

    async def _write(self, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._say(send, self._opening())
            await self._catch_up(send)
            await self._follow(send)
        except TimeoutError:
            self._stream.end("slow")
        except (SQLAlchemyError, OSError) as error:
            log.warning("stream_unread", reason=describe(error))
            self._stream.end("database")
        log.info("stream_ended", reason=self._stream.ended, position=self._stream.after)
        bye = {"type": "http.response.body", "body": b": bye\n\n", "more_body": False}
        try:
            await asyncio.wait_for(send(bye), _BYE_SECONDS)
        except TimeoutError:
            log.info("stream_left_unread", position=self._stream.after)

    def _opening(self) -> bytes:
        """Say where it begins, so that whoever is cut off before the first event can come back to this place."""
        retry = f"retry: {random.randint(*_RETRY_MS)}\n\n".encode()  # noqa: S311  # jitter, no secret
        gap = frame(self._gap.resumed_after, STREAM_GAP, msgspec.json.encode(self._gap)) if self._gap else b""
        return retry + gap + self._position()

    def _position(self) -> bytes:
        place = str(self._stream.after)
        return frame(place, STREAM_POSITION, msgspec.json.encode({"position": place}))

    async def _catch_up(self, send: Send) -> None:
        """Write what was missed, page by page; the page after which nothing is missed is the moment to listen."""
        while self._stream.ended is None:
            if self._hub.at is not None and self._stream.after >= self._hub.at:
                self._hub.listen(self._stream)
                return
            page = await self._hub.missed(self._stream, self._stream.after)
            await self._tell(send, filter(self._stream.wants, page.pushes))
            self._stream.after = page.end

    async def _follow(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        ends_at, said_at = loop.time() + self._manner.most_seconds * random.uniform(0.9, 1.0), loop.time()  # noqa: S311
        while self._stream.ended is None:
            await self._stream.come(min(self._manner.heartbeat_seconds, max(0.0, ends_at - loop.time())))
            if pushes := self._stream.take():
                await self._tell(send, pushes)
                said_at = loop.time()
            elif not self._stream.listens:
                await self._catch_up(send)
            elif loop.time() >= ends_at:
                self._stream.end("renewal")
            elif loop.time() - said_at >= self._manner.position_seconds:
                self._stream.after = max(self._stream.after, self._hub.at or 0)  # all up to there was for others
                await self._say(send, self._position())
                said_at = loop.time()
            else:
                await self._say(send, b": keep-alive\n\n")

    async def _tell(self, send: Send, pushes: Iterable[Push]) -> None:
        told = list(pushes)
        if told:
            await self._say(send, b"".join(frame(str(push.id), push.type, push.data) for push in told))
            self._stream.after = told[-1].id

    async def _say(self, send: Send, said: bytes) -> None:
        """Write a piece. Raises TimeoutError when the client has not taken what was written before."""
        message: dict[str, Any] = {"type": "http.response.body", "body": said, "more_body": True}
        await asyncio.wait_for(send(message), self._manner.write_seconds)


def frame(identifier: str, event: str, data: bytes) -> bytes:
    """Return one event as it goes over the wire. JSON on one line has no line break to look after."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (identifier.encode(), event.encode(), data)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
