"""The hub: one reader of the pushes per process, which hands each to the open streams that it is for.

It never waits for a stream. One that lets too much pile up is handed nothing more, until it has caught up from the
database at its own pace, and listens again.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from intake.push import feed, meters
from intake.push.feed import Page
from intake.push.records import Push
from kit.backoff import Backoff, wait
from kit.database import Database, describe
from kit.errors import OverloadedError
from kit.logging import get_logger

log = get_logger(__name__)

_IDLE_SECONDS: Final = 1.0
_FENCE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 1.0  # so that streams end in time when the process stops
_MOST_CATCHING_UP: Final = 2  # of the connections that the loops share


class Stream:
    """What waits to be written to one client: bounded in number, in the order of ids, only what it asked for."""

    def __init__(self, client: str, applicant: str | None, application_id: UUID | None, most_waiting: int) -> None:
        self.client = client
        self.after = 0
        """The last id that its client has, or was passed over for it."""
        self.listens = False
        """Whether what comes is handed to it; otherwise it reads what it misses from the database."""
        self.ended: str | None = None
        """Why nothing more will come, once that is so."""
        self._applicant = applicant
        self._application_id = application_id
        self._most_waiting = most_waiting
        self._waiting: list[Push] = []
        self._woken = asyncio.Event()

    def wants(self, push: Push) -> bool:
        """Return whether a push is for this client, and is what it asked for."""
        return (
            push.id > self.after
            and push.client == self.client
            and self._application_id in (None, push.application_id)
            and self._applicant in (None, push.applicant)
        )

    def put(self, push: Push) -> None:
        """Take in a push; where too many wait already, let go of all of them: they are in the database."""
        if len(self._waiting) >= self._most_waiting:
            self._waiting.clear()
            self.listens = False
        elif self.listens:
            self._waiting.append(push)
        self._woken.set()

    def end(self, reason: str) -> None:
        self.ended = self.ended or reason
        self._woken.set()

    def take(self) -> list[Push]:
        """Return what has come since the last time."""
        taken, self._waiting = self._waiting, []
        self._woken.clear()
        return taken

    async def come(self, seconds: float) -> None:
        """Wait until something has come, the stream has ended, or so many seconds have passed."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return


class Hub:
    """Reads on while there are streams. ``draining`` says that the process is about to stop: then all streams end."""

    def __init__(
        self,
        database: Database,
        *,
        poll_seconds: float = 0.1,
        most_streams: int = 200,
        most_per_client: int = 10,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._most_streams = most_streams
        self._most_per_client = most_per_client
        self._draining = draining
        self._horizon = feed.horizon()
        self._listening: dict[str, set[Stream]] = {}
        self._open: list[Stream] = []
        self._catching_up = asyncio.Semaphore(_MOST_CATCHING_UP)
        self._reads: set[asyncio.Task[Page]] = set()
        self.at: int | None = None
        """Every push up to this id was handed out; None until the database was asked."""

    # --- for streams -------------------------------------------------------------------------------------

    def enter(self, stream: Stream) -> None:
        """Take in a stream, which listens to nothing yet. Raises a Refusal or OverloadedError if it is too much."""
        if self.at is None or self._draining() or len(self._open) >= self._most_streams:
            raise OverloadedError
        if sum(other.client == stream.client for other in self._open) >= self._most_per_client:
            raise _too_many(self._most_per_client)
        self._open.append(stream)
        meters.STREAMS.set(len(self._open))

    def listen(self, stream: Stream) -> None:
        """Hand all that comes after ``at`` to a stream, until too much has piled up."""
        stream.listens = True
        self._listening.setdefault(stream.client, set()).add(stream)

    def leave(self, stream: Stream) -> None:
        self._open.remove(stream)
        if (listening := self._listening.get(stream.client)) is not None:
            listening.discard(stream)
            if not listening:
                del self._listening[stream.client]
        meters.STREAMS.set(len(self._open))
        meters.STREAMS_ENDED.labels(stream.ended or "left").inc()

    async def missed(self, stream: Stream, after: int) -> Page:
        """Return a page of what a stream's client missed. The read goes on if the caller is cancelled meanwhile."""
        async with self._catching_up:
            read = asyncio.create_task(self._read(after, stream.client))
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)
            return await asyncio.shield(read)

    async def _read(self, after: int, client: str) -> Page:
        async with self._database.reading() as connection:
            return await feed.page(connection, after, self.at or 0, client)

    # --- the reader --------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Hand out until ``stop``. While the database is away streams stay, and get what they missed afterwards."""
        backoff = Backoff(0.1, _LONGEST_PAUSE_SECONDS)
        while not stop.is_set():
            if self._draining():
                self._end_all("stopping")
            try:
                await self.read_on()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("push_waits", reason=describe(error))
                await backoff.pause(stop)
                continue
            backoff.reset()
            await wait(stop, self._pause_seconds())
        self._end_all("stopping")

    def _pause_seconds(self) -> float:
        if self.at is not None and not self._open:
            return _IDLE_SECONDS
        return _FENCE_SECONDS if self._horizon.waits else self._poll_seconds

    async def read_on(self) -> None:
        """Hand out all that has become complete since the last time."""
        async with self._database.reading() as connection:
            until = await self._horizon.look(connection)
            meters.BEHIND.set(self._horizon.last - until)
            if self.at is None:
                self.at = None if self._horizon.waits else until
                return
            if until < self.at:
                log.warning("push_database_set_back", at=self.at, until=until)
                self._end_all("set_back")
                self.at = until
            while self.at < until:
                await self._hand_out(connection, until)

    async def _hand_out(self, connection: AsyncConnection, until: int) -> None:
        """Hand out one page. Between its last push and ``at`` nothing is waited for: no stream can come in between."""
        assert self.at is not None
        if not self._listening:
            self.at = until
            return
        page = await feed.page(connection, self.at, until)
        for push in page.pushes:
            for stream in self._listening.get(push.client, ()):
                if stream.listens and stream.wants(push):
                    stream.put(push)
                    meters.STREAMED.inc()
        self.at = page.end

    def _end_all(self, reason: str) -> None:
        for stream in self._open:
            stream.end(reason)


def _too_many(most: int) -> Refusal:
    return Refusal(
        "too_many_streams",
        f"同一客户端最多同时打开 {most} 个事件流。请关闭不用的连接，或在一个流中接收全部事件。",
        f"A client may have {most} streams open at once. Close those that are not read, or follow all in one stream.",
        status=429,
        headers={"Retry-After": "10"},
    )
