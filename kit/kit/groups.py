"""Grouped writes: requests that wait together share one transaction, because a commit costs more than a row.

Each caller gets its own answer, after the commit. A request that fails does not fail its neighbours: when a group
can't be committed, each of its requests is tried alone. The queue is bounded: beyond it, callers are told at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.refusal import Refusal
from kit import idempotency, outbox
from kit.database import Database
from kit.errors import OverloadedError
from kit.idempotency import Answer, Key
from kit.logging import get_logger
from kit.outbox import Announcements

log = get_logger(__name__)

_ALONE_TRIES: Final = 3  # a lost race for a key or a unique row is decided by the second try


class Command(Protocol):
    """What someone asks for, with the key under which it may be asked again."""

    @property
    def key(self) -> Key | None: ...


C = TypeVar("C", bound=Command)
Outcome = Answer | Exception
Apply = Callable[[AsyncConnection, Sequence[C], datetime], Awaitable[tuple[list[Outcome], Announcements]]]


class GroupedWriter(Generic[C]):
    """Collects commands and applies them in groups. ``apply`` returns one outcome per command, in order."""

    def __init__(
        self,
        database: Database,
        apply: Apply[C],
        *,
        max_queue_size: int = 4_000,
        max_group_size: int = 100,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._apply = apply
        self._max_queue_size = max_queue_size
        self._max_group_size = max_group_size
        self._committed = committed
        self._waiting: list[tuple[C, asyncio.Future[Answer]]] = []
        self._arrived = asyncio.Event()
        self._closed = False

    async def submit(self, command: C) -> Answer:
        """Return the answer once its effect is on disk.

        Raises OverloadedError when the queue is full, and whatever ``apply`` gave as this command's outcome.
        """
        if self._closed or len(self._waiting) >= self._max_queue_size:
            raise OverloadedError
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        self._arrived.set()
        return await future

    async def run(self, stop: asyncio.Event) -> None:
        """Apply groups until ``stop``, then what still waits."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not (stop.is_set() and not self._waiting):
                if not self._waiting:
                    self._arrived.clear()
                    arrival = asyncio.create_task(self._arrived.wait())
                    await asyncio.wait({arrival, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    arrival.cancel()
                    continue
                await self._write(self._next_group())
        finally:
            self._closed = True
            stopping.cancel()

    def _next_group(self) -> list[tuple[C, asyncio.Future[Answer]]]:
        """Take the oldest commands, at most one per key: a second one has to find the first one's answer."""
        group: list[tuple[C, asyncio.Future[Answer]]] = []
        left: list[tuple[C, asyncio.Future[Answer]]] = []
        keys: set[tuple[str, str]] = set()
        for entry in self._waiting:
            key = entry[0].key
            place = (key.client, key.key) if key else None
            if len(group) >= self._max_group_size or (place and place in keys):
                left.append(entry)
                continue
            if place:
                keys.add(place)
            group.append(entry)
        self._waiting = left
        return group

    async def _write(self, group: list[tuple[C, asyncio.Future[Answer]]]) -> None:
        try:
            outcomes = await self._commit([command for command, _ in group])
        except Exception as error:  # noqa: BLE001  # told apart by trying each command alone
            if len(group) > 1:
                log.warning("group_split", reason=type(error).__name__, commands=len(group))
            outcomes = [await self._alone(command) for command, _ in group]
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.cancelled():
                continue  # the caller went away; what it asked for is done all the same
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

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
            now: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
            given = await idempotency.find(connection, [command.key for command in commands if command.key])
            new = [command for command in commands if command.key not in given]
            outcomes, announcements = await self._apply(connection, new, now) if new else ([], Announcements())
            given |= await _answered_meanwhile(connection, new, outcomes)
            await outbox.add(connection, announcements)
            answers = [
                (command.key, outcome)
                for command, outcome in zip(new, outcomes, strict=True)
                if command.key and isinstance(outcome, Answer)
            ]
            await idempotency.store(connection, answers)
        if announcements:
            self._committed()
        own = {id(command): outcome for command, outcome in zip(new, outcomes, strict=True)}
        return [given[command.key] if command.key in given else own[id(command)] for command in commands]


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
