"""The portal, in a process of its own: it applies, claims as soon as it learns of an award, and hears what is paid.

It is to cost little beside what it calls: bodies are ready before the clock starts, connections stay open, of an answer
no more is read than an id. From Drawdown it learns of awards and payments by its stream of events, as
docs/how-to/follow-status-changes.md has it; the monolith's answers say them at once.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from datetime import date
from typing import Final, Self, cast

import httptools

from benchmarks.harness.openloop import Latencies, latencies_of
from benchmarks.intake.wire import Address, Call, request
from benchmarks.lifecycle.awards import Awards
from benchmarks.lifecycle.lives import Life, lives

CREATED: Final = b"201"
_PATIENCE_SECONDS: Final = 300.0
_BEGIN_SECONDS: Final = 10.0
_TRIES: Final = 60
_PAUSE_SECONDS: Final = 0.5
_TICK_SECONDS: Final = 0.001
_LATE_SECONDS: Final = 1.0
_AWARD: Final = b'"award_id":"'
_APPLICATION: Final = b'"application_id":"'
_ID_LENGTH: Final = 36


class Portal:
    """Plays lives against servers. ``follows``: whether awards are learnt from a stream, or from the answers."""

    def __init__(self, token: str, *, follows: bool, awards: Awards | None = None) -> None:
        self._headers = (("authorization", f"Bearer {token}"), ("accept-language", "zh-CN"))
        self._follows = follows
        self._stream: Stream | None = None
        self._awards = awards
        self._calls: list[Call] = []
        self._free: deque[Call] = deque()
        self._asked: dict[Call, Life | None] = {}
        self._lives: deque[tuple[Life, bytes]] = deque()
        self._claims: deque[bytes] = deque()
        self._applied: dict[bytes, tuple[Life, float]] = {}
        self._early: dict[bytes, bytes] = {}
        self._ids: dict[bytes, int] = {}
        self._due: dict[int, float] = {}
        self._awarded_after: list[float] = []
        self._left = 0
        self._closing = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, token: str, follows: bool, bootstrap: str = "") -> Self:
        """Open it; with ``bootstrap`` it also looks when an award can be read on its topic."""
        return cls(token, follows=follows, awards=await Awards.open(bootstrap) if bootstrap else None)

    async def connect(self, addresses: list[Address], connections: int) -> None:
        """Have so many connections open, and the stream where there is one; those of before are closed."""
        self._hang_up()
        self._closing = False
        loop = asyncio.get_running_loop()
        for number in range(connections):
            host, port = addresses[number % len(addresses)]
            _, call = await loop.create_connection(lambda: Call(self), host, port)
            self._calls.append(call)
        if self._follows:
            self._stream = await Stream.open(*addresses[0], self._headers, self._heard)

    async def prepare(self, first: int, count: int, today: date) -> tuple[int, int]:
        """Make so many lives ready; return what they are to be awarded and paid together, in fen."""
        made = list(lives(first, count, today))
        self._lives = deque((life, self._application(life)) for life in made)
        gc.collect()
        gc.freeze()
        return sum(life.awarded for life in made), sum(life.paid for life in made)

    async def play(self) -> float:
        """Play all of them as fast as they are answered; return the seconds until the last payment was heard of, or
        the last claim answered where none is heard of."""
        self._reset()
        began = time.perf_counter()
        for call in self._calls:
            self._next(call)
        await self._until_ended()
        return time.perf_counter() - began

    async def play_at(self, rate: float) -> dict[str, Latencies]:
        """Let them arrive at ``rate`` a second; return how long each took from its due moment until its award.

        "topic": until it can be read on ``disbursement.awards``; "portal": until the portal was told.
        """
        self._reset()
        if self._awards is not None:
            self._awards.forget()
        self._free = deque(self._calls)
        waiting, self._lives = self._lives, deque()
        start = time.perf_counter()
        for number, (life, sent) in enumerate(waiting):
            due = start + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(max(wait, _TICK_SECONDS))
            self._due[life.number] = due
            self._lives.append((life, sent))
            if self._free:
                self._next(self._free.popleft())
        arrived = time.perf_counter()
        await self._until_ended()
        drain = time.perf_counter() - arrived
        found = {"portal": latencies_of(self._awarded_after, rate, drain, _LATE_SECONDS)}
        if self._awards is not None:
            read = await self._awards.of(self._ids)
            after = [read[application_id] - self._due[number] for application_id, number in self._ids.items()]
            found["topic"] = latencies_of(after, rate, drain, _LATE_SECONDS)
        return found

    async def close(self) -> None:
        """Close what is open."""
        self._hang_up()
        if self._awards is not None:
            await self._awards.close()

    def _hang_up(self) -> None:
        self._closing = True
        for call in self._calls:
            call.close()
        self._calls = []
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # --- one step at a time ------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._claims.clear()
        self._applied.clear()
        self._early.clear()
        self._ids.clear()
        self._due.clear()
        self._free.clear()
        self._awarded_after = []
        self._left = len(self._lives)
        self._ended = asyncio.get_running_loop().create_future()

    async def _until_ended(self) -> None:
        try:
            await asyncio.wait_for(self._ended, _PATIENCE_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{self._left} lives have not ended after {_PATIENCE_SECONDS:.0f} s") from None

    def _application(self, life: Life) -> bytes:
        headers = (*self._headers, ("idempotency-key", f"application-{life.number}"))
        return request("POST", "/v1/applications", headers, life.application)

    def _claim(self, life: Life, award_id: bytes) -> bytes:
        headers = (*self._headers, ("idempotency-key", f"claim-{life.number}"))
        return request("POST", f"/v1/awards/{award_id.decode()}/claims", headers, life.claim)

    def _next(self, call: Call) -> None:
        """Claims go first: what was begun is to be ended."""
        if self._claims:
            self._asked[call] = None
            call.send(self._claims.popleft())
        elif self._lives:
            self._asked[call], sent = self._lives.popleft()
            call.send(sent)
        else:
            self._free.append(call)

    def answered(self, call: Call, status: bytes, answer: bytes) -> None:
        if status != CREATED:
            self._fail(f"not 201: {answer[-700:]!r}")
            return
        life = self._asked[call]
        if life is None:
            if not self._follows:
                self._one_ended()
        elif self._follows:
            self._accepted(life, _after(answer, _APPLICATION))
        else:
            self._awarded(life, _after(answer, _AWARD))
        self._next(call)

    def _accepted(self, life: Life, application_id: bytes) -> None:
        """The stream may have been faster than the answer."""
        self._ids[application_id] = life.number
        if (award_id := self._early.pop(application_id, None)) is not None:
            self._awarded(life, award_id)
        else:
            self._applied[application_id] = life, time.perf_counter()

    def _awarded(self, life: Life, award_id: bytes) -> None:
        if (due := self._due.get(life.number)) is not None:
            self._awarded_after.append(time.perf_counter() - due)
        self._claims.append(self._claim(life, award_id))
        if self._free:
            self._next(self._free.popleft())

    def _heard(self, kind: bytes, data: bytes) -> None:
        if kind == b"award.issued":
            application_id, award_id = _after(data, _APPLICATION), _after(data, _AWARD)
            found = self._applied.pop(application_id, None)
            if found is None:
                self._early[application_id] = award_id
            else:
                self._awarded(found[0], award_id)
        elif kind == b"claim.paid":
            self._one_ended()
        elif kind in (b"application.rejected", b"application.waitlisted", b"award.refused", b"claim.rejected"):
            self._fail(f"a life went wrong: {kind.decode()} {data.decode()}")

    def _one_ended(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._ended.done():
            self._ended.set_result(None)

    def lost(self, error: Exception | None) -> None:
        if not self._closing:
            self._fail(f"a server closed a connection: {error}")

    def _fail(self, said: str) -> None:
        if not self._ended.done():
            self._ended.set_exception(ConnectionError(said))


class Stream(asyncio.Protocol):
    """The event stream of one client: hands over the kind and data of each event."""

    def __init__(self, heard: Callable[[bytes, bytes], None]) -> None:
        self._heard = heard
        self._rest = b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, host: str, port: int, headers: tuple[tuple[str, str], ...], heard: Callable[[bytes, bytes], None]
    ) -> Self:
        """Open it, as soon as the server gives it; returns when it listens."""
        for tries_left in reversed(range(_TRIES)):
            _, stream = await asyncio.get_running_loop().create_connection(lambda: cls(heard), host, port)
            try:
                await stream.begin(headers)
                break
            except ConnectionError:
                stream.close()
                if not tries_left:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
        return stream

    async def begin(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Ask for the events; returns when it is told from where on. Raises ConnectionError where it is refused."""
        assert self._transport is not None, "it is connected"
        self._transport.write(request("GET", "/v1/events", headers))
        await asyncio.wait_for(self._begun, _BEGIN_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 and not self._begun.done():
            self._begun.set_exception(ConnectionError(f"the stream was refused: {status}"))

    def on_body(self, body: bytes) -> None:
        *frames, self._rest = (self._rest + body).split(b"\n\n")
        for frame in frames:
            kind, data = b"", b""
            for line in frame.split(b"\n"):
                if line.startswith(b"event: "):
                    kind = line[7:]
                elif line.startswith(b"data: "):
                    data = line[6:]
            if kind == b"stream.position" and not self._begun.done():
                self._begun.set_result(None)
            elif kind:
                self._heard(kind, data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._begun.done():
            self._begun.set_exception(ConnectionError(f"the stream ended before it began: {error}"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _after(text: bytes, name: bytes) -> bytes:
    """Return the id behind a name in JSON."""
    at = text.find(name)
    if at < 0:
        raise ValueError(f"there is no {name!r} in {text[-700:]!r}")
    return text[at + len(name) : at + len(name) + _ID_LENGTH]
