"""Grouped writes: requests that wait together share one transaction, because a commit costs more than a row.

Each caller gets its own answer, after the commit. A request that fails does not fail its neighbours: when a group
can't be committed, each of its requests is tried alone.

Callers are not left waiting, because one who is comes back with the same request before the first is done. So the line
is bounded in number and in time: beyond either, callers are turned away at once. Who is asked again while it waits
has one place in the line, however often; and who waits too long is told so, while what was accepted is done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar
from weakref import WeakSet

import msgspec
from prometheus_client import Gauge
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit import idempotency, outbox, tracing
from kit.database import Database, describe, is_away
from kit.errors import OverloadedError, TransientError
from kit.following import log_said
from kit.idempotency import Answer, Key
from kit.logging import get_logger
from kit.outbox import Announcements
from kit.pace import Pace
from kit.rows import Writes

log = get_logger(__name__)

WRITES_WAITING: Final = Gauge("drawdown_write_queue_commands", "Requests that wait to be written")
WRITES_OLDEST: Final = Gauge("drawdown_write_queue_oldest_seconds", "How long the oldest of them has waited")

_GROUP_TRIES: Final = 2  # the first may have met a connection that was lost since the last group
_ALONE_TRIES: Final = 3  # a lost race for a key or a unique row is decided by the second try


class Command(Protocol):
    """What someone asks for, with the key under which it may be asked again."""

    @property
    def key(self) -> Key | None: ...


C = TypeVar("C", bound=Command)
Outcome = Answer | Exception
Apply = Callable[[AsyncConnection, Sequence[C], datetime], Awaitable[tuple[list[Outcome], Announcements]]]


class _Place(msgspec.Struct, Generic[C], eq=False):
    """A command in the line or being written, since when, and all who asked for it and wait for its answer."""

    command: C
    since: float
    callers: list[asyncio.Future[Answer]]


class GroupedWriter(Generic[C]):
    """Collects commands and applies them in groups. ``apply`` returns one outcome per command, in order.

    ``max_age_seconds`` is how old the oldest waiting command may be before newcomers are turned away,
    ``answer_seconds`` how long a caller is kept at most. Both belong below the time-out of the callers.
    ``groups_at_once`` groups may be under way, each on a connection of its own: what one waits for the disk and the
    network, another uses. They race as those of two processes do, and never for a key.
    """

    def __init__(
        self,
        database: Database,
        apply: Apply[C],
        *,
        max_queue_size: int = 4_000,
        max_group_size: int = 100,
        groups_at_once: int = 1,
        max_age_seconds: float = 2.5,
        answer_seconds: float = 4.0,
        pace_seconds: float = 0.0,
        committed: Callable[[Announcements], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._apply = apply
        self._max_queue_size = max_queue_size
        self._max_group_size = max_group_size
        self._groups_at_once = groups_at_once
        self._worth_a_second = max_group_size // 4
        self._max_age_seconds = max_age_seconds
        self._answer_seconds = answer_seconds
        self._pace = Pace(pace_seconds)
        self._committed = committed
        self._waiting: list[_Place[C]] = []
        self._by_key: dict[Key, _Place[C]] = {}
        self._in_hand: set[tuple[str, str]] = set()
        """Clients and keys of the groups that are being written."""
        self._news = asyncio.Event()
        self._closed = False
        _WRITERS.add(self)

    async def submit(self, command: C) -> Answer:
        """Return the answer once its effect is on disk. The same request under the same key shares one answer.

        Raises OverloadedError, at once, when too many wait or the oldest waits too long: then nothing of it is done.
        Raises TransientError after ``answer_seconds``: then it is still going to be done, and may be asked again under
        its key. Raises whatever ``apply`` gave as this command's outcome.
        """
        place = self._by_key.get(command.key) if command.key else None
        place = place or self._admit(command)
        loop = asyncio.get_running_loop()
        caller: asyncio.Future[Answer] = loop.create_future()  # its own: to cancel it takes nothing from the others
        place.callers.append(caller)
        late = loop.call_later(self._answer_seconds, self._tell_late, caller)
        try:
            return await caller
        finally:
            late.cancel()

    def _admit(self, command: C) -> _Place[C]:
        late = self.oldest_seconds() > self._max_age_seconds
        if self._closed or late or len(self._waiting) >= self._max_queue_size:
            raise OverloadedError
        place = _Place(command, time.monotonic(), [])
        self._waiting.append(place)
        if command.key:
            self._by_key[command.key] = place
        self._news.set()
        return place

    def _tell_late(self, caller: asyncio.Future[Answer]) -> None:
        if not caller.done():
            said = f"not written within {self._answer_seconds:g} s, but still going to be"
            caller.set_exception(TransientError(said))

    def waiting(self) -> int:
        """Return how many commands wait."""
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """Return how long the oldest of them has waited."""
        return time.monotonic() - self._waiting[0].since if self._waiting else 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Apply groups until ``stop``, then what still waits."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._news.set())
        writing: set[asyncio.Task[None]] = set()
        try:
            while writing or self._waiting or not stop.is_set():
                self._news.clear()
                if self._waiting and not writing:
                    await self._pace.keep()
                self._begin_groups(writing)
                await self._news.wait()
                for task in [task for task in writing if task.done()]:
                    writing.remove(task)
                    task.result()
        finally:
            self._closed = True
            stopping.cancel()

    def _begin_groups(self, writing: "set[asyncio.Task[None]]") -> None:
        """Begin a group; and a second one while the first waits for the disk, if enough of them wait for it."""
        while self._waiting and len(writing) < self._groups_at_once:
            if writing and len(self._waiting) < self._worth_a_second:
                return
            group = self._next_group()
            if not group:
                return
            task = asyncio.create_task(self._write(group))
            task.add_done_callback(lambda _: self._news.set())
            writing.add(task)

    def _next_group(self) -> list[_Place[C]]:
        """Take the oldest commands, at most one per key: a second one has to find the first one's answer."""
        group: list[_Place[C]] = []
        left: list[_Place[C]] = []
        for position, place in enumerate(self._waiting):
            if len(group) >= self._max_group_size:
                left.extend(self._waiting[position:])
                break
            name = _name(place)
            if name in self._in_hand:
                left.append(place)
                continue
            if name:
                self._in_hand.add(name)
            group.append(place)
        self._waiting = left
        return group

    async def _write(self, group: list[_Place[C]]) -> None:
        outcomes = await self._outcomes([place.command for place in group])
        for place, outcome in zip(group, outcomes, strict=True):
            if place.command.key:
                del self._by_key[place.command.key]
                self._in_hand.discard((place.command.key.client, place.command.key.key))
            for caller in place.callers:
                if caller.done():
                    continue  # who went away, or waited too long: what was asked for is done all the same
                if isinstance(outcome, Exception):
                    caller.set_exception(outcome)
                else:
                    caller.set_result(outcome)

    async def _outcomes(self, commands: list[C]) -> list[Outcome]:
        """Commit the group; once more if the database was lost on the way, and if it fails otherwise, one by one."""
        for attempt in range(1, _GROUP_TRIES + 1):
            try:
                return await self._commit(commands)
            except Exception as error:  # noqa: BLE001  # told apart here
                log.warning("group_failed", reason=describe(error), commands=len(commands), attempt=attempt)
                if not is_away(error):
                    break
                if attempt == _GROUP_TRIES:
                    return [error] * len(commands)
        return await self._one_by_one(commands)

    async def _one_by_one(self, commands: list[C]) -> list[Outcome]:
        """Commit each command alone. When the database is lost on the way, the others would fare the same."""
        outcomes: list[Outcome] = []
        for command in commands:
            outcome = await self._alone(command)
            outcomes.append(outcome)
            if isinstance(outcome, Exception) and is_away(outcome):
                return outcomes + [outcome] * (len(commands) - len(outcomes))
        return outcomes

    async def _alone(self, command: C) -> Outcome:
        for attempt in range(1, _ALONE_TRIES + 1):
            try:
                return (await self._commit([command]))[0]
            except Exception as error:  # noqa: BLE001  # it becomes this caller's answer, and only this caller's
                if attempt == _ALONE_TRIES or not _was_a_race(error):
                    return error
        raise AssertionError("unreachable")

    async def _commit(self, commands: list[C]) -> list[Outcome]:
        async with self._database.transaction() as connection:
            now, given = await idempotency.begin(connection, [command.key for command in commands if command.key])
            new = [command for command in commands if command.key not in given]
            with tracing.Work():
                outcomes, announcements = await self._apply(connection, new, now) if new else ([], Announcements())
            given |= await _answered_meanwhile(connection, new, outcomes)
            answers = [
                (command.key, outcome)
                for command, outcome in zip(new, outcomes, strict=True)
                if command.key and isinstance(outcome, Answer)
            ]
            announcements.writes = announcements.writes or Writes(connection)
            idempotency.keep(announcements.writes, answers)
            await outbox.add(connection, announcements)
        if announcements:
            self._committed(announcements)
            log_said(announcements)
        own = {id(command): outcome for command, outcome in zip(new, outcomes, strict=True)}
        return [given[command.key] if command.key in given else own[id(command)] for command in commands]


def _name(place: _Place[Any]) -> tuple[str, str] | None:
    key = place.command.key
    return (key.client, key.key) if key else None


_WRITERS: Final[WeakSet[GroupedWriter[Any]]] = WeakSet()
WRITES_WAITING.set_function(lambda: sum(writer.waiting() for writer in _WRITERS))
WRITES_OLDEST.set_function(lambda: max((writer.oldest_seconds() for writer in _WRITERS), default=0.0))


async def _answered_meanwhile(
    connection: AsyncConnection, commands: Sequence[Command], outcomes: Sequence[Outcome]
) -> dict[Key, Answer | Refusal]:
    """Return the answers that another process gave to refused commands while these waited for its locks.

    A caller who got no answer asks again, of another process. The second try finds no answer yet, waits for the
    first one's locks, and then meets the first one's effect: refused as a repetition, though its key was accepted.
    """
    refused = [c.key for c, outcome in zip(commands, outcomes, strict=True) if c.key and isinstance(outcome, Exception)]
    return await idempotency.find(connection, refused)


def _was_a_race(error: Exception) -> bool:
    """Return whether another transaction was in the way: it took a key or row first, or the two were in a deadlock."""
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", "")).startswith("40")
