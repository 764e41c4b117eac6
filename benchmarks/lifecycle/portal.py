"""The portal, in a process of its own: it applies, claims as soon as it learns of an award, and hears what is paid.

It is to cost little beside what it calls: bodies are ready before the clock starts, connections stay open, of an answer
no more is read than an id. From Drawdown it learns of awards and payments by its stream of events, as
docs/how-to/follow-status-changes.md has it; the monolith's answers say them at once.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain
from typing import Final, Self

import msgspec

from benchmarks.harness.openloop import Latencies, latencies_of
from benchmarks.intake.wire import Address, Call, request
from benchmarks.lifecycle.awards import Awards
from benchmarks.lifecycle.lives import APPLICATIONS_OF_A_COMPANY, Life, lives
from benchmarks.lifecycle.stream import Stream

CREATED: Final = b"201"
_PATIENCE_SECONDS: Final = 300.0
_TICK_SECONDS: Final = 0.001
LATE_SECONDS: Final = 1.0
_AWARD: Final = b'"award_id":"'
_APPLICATION: Final = b'"application_id":"'
_ID_LENGTH: Final = 36

Taken = dict[str, list[tuple[float, float]]]
"""How long each life took until its award, by where the award is seen, in seconds: (when it was due, how long it took).

"topic": until it can be read on ``disbursement.awards``; "portal": until the portal was told.
"""


class Played(msgspec.Struct):
    """What came of lives that arrived on and on; ``awarded`` and ``paid`` in fen, as the lives have it."""

    awarded: int = 0
    paid: int = 0
    drain_seconds: float = 0.0
    taken: Taken = {}


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
        self._awarded_after: list[tuple[float, float]] = []
        self._promised: Iterator[Life] = iter(())
        self._start = 0.0
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
            self._stream = await Stream.open(*addresses[0], self._headers, self._heard, self._fail)

    async def prepare(
        self, first: int, count: int, today: date, of_a_company: int = APPLICATIONS_OF_A_COMPANY
    ) -> tuple[int, int]:
        """Make so many lives ready; return what they are to be awarded and paid together, in fen."""
        made = list(lives(first, count, today, of_a_company))
        self._lives = deque((life, self._application(life)) for life in made)
        gc.collect()
        gc.freeze()
        return sum(life.awarded for life in made), sum(life.paid for life in made)

    async def promise(self, first: int, count: int, today: date) -> None:
        """Have so many lives made one by one when they are due: half a million bodies would not fit. Their companies
        are drawn now, which takes seconds."""
        made = lives(first, count, today)
        self._promised = chain([next(made)], made)
        gc.collect()
        gc.freeze()

    async def play(self) -> float:
        """Play all of them as fast as they are answered; return the seconds until the last payment was heard of, or
        the last claim answered where none is heard of."""
        self._reset(len(self._lives))
        began = time.perf_counter()
        for call in self._calls:
            self._next(call)
        await self._until_ended()
        return time.perf_counter() - began

    async def play_at(self, rate: float) -> dict[str, Latencies]:
        """Let what is prepared arrive at ``rate`` a second; return the latencies until the awards, as ``Taken``."""
        waiting, self._lives = self._lives, deque()
        drain = await self._arrive(waiting, len(waiting), rate)
        return {
            until: latencies_of([took for _, took in taken], rate, drain, LATE_SECONDS)
            for until, taken in (await self._taken()).items()
        }

    async def play_on(self, count: int, rate: float) -> Played:
        """Let the ``count`` lives that were promised arrive at ``rate`` a second; return each one's time."""
        played = Played()

        def made() -> Iterator[tuple[Life, bytes]]:
            for life in self._promised:
                played.awarded += life.awarded
                played.paid += life.paid
                yield life, self._application(life)

        played.drain_seconds = await self._arrive(made(), count, rate)
        played.taken = await self._taken()
        return played

    async def _arrive(self, waiting: Iterable[tuple[Life, bytes]], count: int, rate: float) -> float:
        """Let them arrive; return the seconds from the last arrival until all have ended."""
        self._reset(count)
        if self._awards is not None:
            self._awards.forget()
        self._free = deque(self._calls)
        self._start = time.perf_counter()
        for number, (life, sent) in enumerate(waiting):
            due = self._start + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(max(wait, _TICK_SECONDS))
            if self._ended.done():
                break  # something failed: nobody needs the rest
            self._due[life.number] = due
            self._lives.append((life, sent))
            if self._free:
                self._next(self._free.popleft())
        arrived = time.perf_counter()
        await self._until_ended()
        return time.perf_counter() - arrived

    async def _taken(self) -> Taken:
        taken = {"portal": self._awarded_after}
        if self._awards is not None:
            read, ids = await self._awards.of(self._ids), self._ids.items()
            dues = [(application_id, self._due[number]) for application_id, number in ids]
            taken["topic"] = [(due - self._start, read[application_id] - due) for application_id, due in dues]
        return taken

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

    def _reset(self, count: int) -> None:
        self._claims.clear()
        self._applied.clear()
        self._early.clear()
        self._ids.clear()
        self._due.clear()
        self._free.clear()
        self._awarded_after = []
        self._left = count
        self._ended = asyncio.get_running_loop().create_future()

    async def _until_ended(self) -> None:
        try:
            await asyncio.wait_for(self._ended, _PATIENCE_SECONDS)
        except TimeoutError:
            unsent, unanswered = len(self._lives) + len(self._claims), len(self._calls) - len(self._free)
            raise TimeoutError(
                f"{self._left} lives have not ended after {_PATIENCE_SECONDS:.0f} s: of {len(self._applied)} no award "
                f"was heard, {unsent} calls were not sent, {unanswered} not answered, of others no payment was heard"
            ) from None

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
            self._awarded_after.append((due - self._start, time.perf_counter() - due))
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


def _after(text: bytes, name: bytes) -> bytes:
    """Return the id behind a name in JSON."""
    at = text.find(name)
    if at < 0:
        raise ValueError(f"there is no {name!r} in {text[-700:]!r}")
    return text[at + len(name) : at + len(name) + _ID_LENGTH]
