"""You are in a service's process with a deliberate bug: ``python -m tests.faults.mutant NAME <service> run``.

The bug is put into this process before the service starts, so that the product has no switch for it. What each bug
is, and that it must be caught, stands in ``mutants``.
"""

import asyncio
import json
import runpy
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import TopicPartition

from kit import batch, groups, inbox, offsets, outbox, parking, relay
from kit.at_hand import AtHand, Row
from kit.driver import fetch
from kit.errors import NotYetError, PermanentError
from kit.identifiers import uuid7
from kit.outbox import Announcements
from kit.relay import Relay

_LATE_SECONDS: Final = 0.3
_COLUMNS: Final = relay._COLUMNS
_tasks: set[asyncio.Task[Any]] = set()


def _later(work: Any) -> None:
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def offset_before_transaction() -> None:
    """The offset is committed first; a transaction that then fails has lost its events."""

    async def transact(self: Any, records: Any, epochs: Any, begins: Any) -> Any:
        portions = batch._portions(records, epochs, begins)
        async with self._database.transaction() as connection:
            now = await offsets.take(connection, self._group, portions)
        async with self._database.transaction() as connection:
            held = await parking.held(connection, {place.topic for place in portions})
            messages, parked = self._sort(records, portions, held)
            await self._park(connection, parked)
            fresh = await inbox.unseen(connection, messages)
            if fresh:
                await outbox.add(connection, await self._handle(connection, fresh, now))
        return batch.Handled(fresh, parked, 0, now)

    _set(batch.Batches, "transact", transact)


def relay_by_id() -> None:
    """The relay polls ``id > cursor`` without a fence: what commits late under a lower id is passed over."""

    async def page(_self: Any, _stop: Any, connection: Any, lease: Any, _drawn: Any) -> Any:
        rows = await fetch(connection, f"SELECT {_COLUMNS} FROM outbox WHERE id > $1 ORDER BY id", lease.cursor)
        return [Row(*row) for row in rows]

    _set(Relay, "_page", page)
    _set(AtHand, "follows", _never)


def relay_by_transaction() -> None:
    """The relay orders by ``(xid, id)``: a transaction's number says nothing about when it wrote of a key."""
    read = f"""
        SELECT {_COLUMNS} FROM outbox
        WHERE id > $1 AND CAST(CAST(xmin AS text) AS bigint)
          < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
        ORDER BY CAST(CAST(xmin AS text) AS bigint), id
    """  # a constant list of columns
    published: set[int] = set()

    async def page(_self: Any, _stop: Any, connection: Any, lease: Any, _drawn: Any) -> Any:
        rows = [Row(*row) for row in await fetch(connection, read, lease.cursor)]
        fresh = [row for row in rows if row.id not in published]
        published.update(row.id for row in fresh)
        return fresh

    _set(Relay, "_page", page)
    _set(AtHand, "follows", _never)


def _never(_self: AtHand, _cursor: int) -> bool:
    return False


def adds_instead_of_subtracting() -> None:
    """The batch adds to its running balance what it should take off."""
    from disbursement import rules  # noqa: PLC0415  # only that service has it

    def move(books: Any, source: str, target: str, amount: int) -> None:
        name = source if source != "appropriated" else "appropriated"
        setattr(books, name, getattr(books, name) + amount)
        setattr(books, target, getattr(books, target) + amount)

    _set(rules, "move", move)


def no_epoch_fence() -> None:
    """Nobody compares epochs, nor where a batch begins: a zombie goes on with what was given away."""
    real = offsets._FENCE

    async def fence(connection: Any, group: str, epochs: Any) -> Any:
        rows = (await connection.execute(real, offsets._values(group, epochs))).all()
        return rows[0].now, {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}

    _set(offsets, "fence", fence)
    compared = "AND o.epoch = given.epoch AND o.next_offset = given.begin"
    for module, name in ((offsets, "_TAKE"), (inbox, "_TAKE_AND_ADD")):
        assert compared in getattr(module, name), "offsets are compared elsewhere now"
        _set(module, name, getattr(module, name).replace(compared, ""))


def payment_under_new_key() -> None:
    """Unsure whether its last instructions were sent, a relay that takes over sends them again, as new payments."""
    last = f"""
        SELECT {_COLUMNS} FROM outbox WHERE type = 'drawdown.payment.instructed.v1' ORDER BY id DESC LIMIT 3
    """  # a constant list of columns
    real = Relay._publish_until

    async def publish_until(self: Any, stop: Any, connection: Any, producer: Any, lease: Any) -> None:
        again = []
        for record in self._records([Row(*row) for row in await fetch(connection, last)]):
            payment = {**json.loads(record.value), "payment_id": str(uuid7()), "end_to_end_id": f"DD{uuid.uuid4().hex}"}
            record.value = json.dumps(payment).encode()
            record.headers = [(k, str(uuid7()).encode() if k == "ce_id" else v) for k, v in record.headers]
            again.append(record)
        await producer.send(again)
        await real(self, stop, connection, producer, lease)

    _set(Relay, "_publish_until", publish_until)


def inbox_outside() -> None:
    """The inbox remembers in a transaction of its own: what then fails is taken for handled."""

    real = inbox.unseen

    async def unseen(connection: Any, messages: Any) -> Any:
        async with connection.engine.begin() as another:
            return await real(another, messages)

    async def take_unseen(connection: Any, group: Any, portions: Any, messages: Any) -> Any:
        return await offsets.take(connection, group, portions), await unseen(connection, messages)

    _set(inbox, "unseen", unseen)
    _set(inbox, "take_unseen", take_unseen)


def event_after_commit() -> None:
    """Events are sent a moment after the commit: who dies in between has told nobody."""
    real = outbox.add

    async def tell(engine: Any, announcements: Any) -> None:
        await asyncio.sleep(_LATE_SECONDS)
        async with engine.begin() as connection:
            await real(connection, announcements)

    async def add(connection: Any, announcements: Any) -> None:
        await announcements.make_writes()
        announcements.writes = None
        if announcements:
            _later(tell(connection.engine, announcements))

    _set(outbox, "add", add)


def swallowed_error() -> None:
    """A handler's error is caught and forgotten."""
    real = batch.Batches.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        handle = self._handle

        async def careless(connection: Any, messages: Any, now: Any) -> Any:
            try:
                return await handle(connection, messages, now)
            except (PermanentError, NotYetError):
                return Announcements()

        self._handle = careless

    _set(batch.Batches, "__init__", init)


def cap_per_application() -> None:
    """Each application of a batch is held against the cap as it was when the batch was loaded."""
    from disbursement import limits, loading  # noqa: PLC0415  # only that service has it

    load = loading.load
    loaded: dict[int, dict[Any, int]] = {}

    async def remembering(connection: Any, wanted: Any, now: Any) -> Any:
        book = await load(connection, wanted, now)
        loaded.clear()
        loaded[id(book)] = {key: record.granted for key, record in book.caps.items()}
        return book

    def stale(book: Any, scheme: str, year: int, applicant: str) -> int:
        found = loaded.get(id(book), {})
        return sum(found.get((scheme, year, member), 0) for member in limits.members(book, applicant))

    _set(loading, "load", remembering)
    _set(limits, "cap_used", stale)


class _Lazy:
    """A database that says "committed" and commits a moment later."""

    def __init__(self, database: Any) -> None:
        self._engine = database.engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        connection = await self._engine.connect()
        try:
            yield connection
        except BaseException:
            await connection.close()
            raise
        _later(self._commit(connection))

    async def _commit(self, connection: Any) -> None:
        await asyncio.sleep(_LATE_SECONDS)
        try:
            await connection.commit()
        finally:
            await connection.close()


def answer_before_commit() -> None:
    """The caller is told before the commit."""
    real = groups.GroupedWriter.__init__

    def init(self: Any, database: Any, *arguments: Any, **named: Any) -> None:
        real(self, _Lazy(database), *arguments, **named)  # type: ignore[arg-type]  # it only opens transactions

    _set(groups.GroupedWriter, "__init__", init)


def _set(place: Any, name: str, value: Any) -> None:
    """Put the bug in; a name that is not there any more means that the mutant has to be written anew."""
    assert hasattr(place, name), f"{place} has no {name} any more"
    setattr(place, name, value)


BUGS: Final[dict[str, tuple[Callable[[], None], frozenset[str]]]] = {
    "offset-before-transaction": (offset_before_transaction, frozenset()),
    "relay-by-id": (relay_by_id, frozenset()),
    "relay-by-transaction": (relay_by_transaction, frozenset()),
    "adds-instead-of-subtracting": (adds_instead_of_subtracting, frozenset({"disbursement"})),
    "no-epoch-fence": (no_epoch_fence, frozenset()),
    "payment-under-new-key": (payment_under_new_key, frozenset({"disbursement"})),
    "inbox-outside": (inbox_outside, frozenset()),
    "event-after-commit": (event_after_commit, frozenset()),
    "swallowed-error": (swallowed_error, frozenset()),
    "cap-per-application": (cap_per_application, frozenset({"disbursement"})),
    "answer-before-commit": (answer_before_commit, frozenset({"intake"})),
}
"""By name: the bug, and the services that have it (none named: all)."""


def main(name: str, service: str, *verb: str) -> None:
    """Put the bug in and become the service."""
    bug, only = BUGS[name]
    if not only or service in only:
        bug()
    sys.argv = [service, *verb]
    runpy.run_module(service, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
