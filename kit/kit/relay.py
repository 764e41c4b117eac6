"""The relay: publishes the outbox to Kafka in the order of its ids, one relay per database at a time.

Ids are drawn before commits, so a row with a lower id may appear after one with a higher id. The sequence fence
(``kit.fence``) makes "all ids up to L" a fact. What this process has committed itself is often at hand without a gap
(``kit.at_hand``), and is published without a question.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import fence, meters, outbox, plans, tracing
from kit.at_hand import Row
from kit.backoff import Backoff, wait
from kit.database import Database, describe
from kit.driver import fetch
from kit.errors import FencedError, TransientError
from kit.fence import Fence
from kit.kafka import Producer, Record
from kit.lease import Lease
from kit.logging import get_logger
from kit.messages import Header, headers_of
from kit.pace import Pace

log = get_logger(__name__)

_SEQUENCE: Final = "outbox_id_seq"
_PAGE: Final = 2_000
_FENCE_POLL_SECONDS: Final = 0.002
_FENCE_SAID_SECONDS: Final = 10.0
_MEASURE_SECONDS: Final = 1.0

_COLUMNS: Final = "id, event_id, topic, key, type, subject, time, traceparent, headers, data"
_READ: Final = f"SELECT {_COLUMNS} FROM outbox WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"  # noqa: S608
_READ_BEHIND: Final = f"""
SELECT {_COLUMNS} FROM outbox WHERE id > $1 AND id <= $2 AND {fence.PASSED.format(own="CAST($4::text AS xid8)")}
ORDER BY id LIMIT $3
"""  # noqa: S608  # constants
_OLDEST: Final = text(
    "SELECT extract(epoch FROM now() - created_at) FROM outbox WHERE id > :cursor ORDER BY id LIMIT 1"
)


class Relay:
    """Moves a service's events from its outbox to Kafka. ``wake`` makes it look at once."""

    def __init__(
        self,
        database: Database,
        bootstrap: str,
        *,
        source: str,
        holder: str,
        poll_seconds: float,
        lease_seconds: float,
        pace_seconds: float = 0.0,
        patience_seconds: float = 0.0,
    ) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._source = source
        self._holder = holder
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._pace = Pace(pace_seconds, patience_seconds)
        self._wakes_later: asyncio.TimerHandle | None = None
        self._measured_at = 0.0
        self._woken = asyncio.Event()
        self._producer: Producer | None = None
        self.trouble: str | None = "the relay has not started"

    def wake(self, *, hurried: bool = True) -> None:
        """Say that something was committed to the outbox. What nobody waits for may go with a later page."""
        left = 0.0 if hurried else self._pace.left(patient=True)
        if left <= 0:
            self._woken.set()
        elif self._wakes_later is None:
            self._wakes_later = asyncio.get_running_loop().call_later(left, self._wake_late)

    def _wake_late(self) -> None:
        self._wakes_later = None
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until ``stop``; errors of the database or the brokers are waited out."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await self._hold_lease(stop, backoff)
            except (KafkaError, SQLAlchemyError, OSError, TimeoutError, TransientError, FencedError) as error:
                self.trouble = f"the relay waits: {describe(error)}"
                log.warning("relay_waits", reason=describe(error), error_class=type(error).__name__)
                await backoff.pause(stop)
            finally:
                await self._drop_producer()

    async def _hold_lease(self, stop: asyncio.Event, backoff: Backoff) -> None:
        async with self._database.reading() as connection:
            lease = await Lease.acquire(connection, self._holder, self._lease_seconds)
            if lease is None:
                self.trouble = None  # another process relays: that is as it should be, and it knows what waits
                meters.OUTBOX_PENDING.set(0)
                meters.OUTBOX_OLDEST.set(0)
                await wait(stop, self._lease_seconds / 2)
                return
            await self._measure(connection, lease)  # first: while no broker answers, this is as far as it gets
            producer = self._producer = Producer(self._bootstrap, f"{self._source}-relay")
            await lease.keep_during(producer.start())
            log.info("relay_leads", lease=lease.token, cursor=lease.cursor)
            self.trouble = None
            backoff.reset()
            await self._publish_until(stop, connection, producer, lease)
            await lease.release()
            log.info("relay_released", lease=lease.token, cursor=lease.cursor)

    async def _publish_until(
        self, stop: asyncio.Event, connection: AsyncConnection, producer: Producer, lease: Lease
    ) -> None:
        with self._database.at_hand.wanted():
            while not stop.is_set():
                if self._database.at_hand.follows(lease.cursor):
                    await self._publish_at_hand(connection, producer, lease)
                else:
                    await self._publish_read(stop, connection, producer, lease)

    async def _publish_at_hand(self, connection: AsyncConnection, producer: Producer, lease: Lease) -> None:
        """Publish what follows the cursor without a gap, and wait for more where nothing else is known of."""
        at_hand = self._database.at_hand
        await self._pace.keep()
        self._woken.clear()
        await lease.hold()
        rows = at_hand.take(lease.cursor, _PAGE)
        if not rows:
            return  # too much came meanwhile to be kept: it is read
        meters.OUTBOX_PENDING.set(at_hand.last - lease.cursor)
        await self._publish(connection, producer, lease, rows)
        await lease.advance(rows[-1].id)
        at_hand.passed(lease.cursor)
        if at_hand.last <= lease.cursor:
            meters.OUTBOX_PENDING.set(0)
            await self._nap()

    async def _publish_read(
        self, stop: asyncio.Event, connection: AsyncConnection, producer: Producer, lease: Lease
    ) -> None:
        """Publish what the outbox has up to the fence, or wait for something new."""
        drawn = await self._draw(connection, lease)
        if drawn.own is None:
            meters.OUTBOX_PENDING.set(0)
            meters.OUTBOX_OLDEST.set(0)
            await lease.keep()
            await self._nap()
            return
        meters.OUTBOX_PENDING.set(drawn.last - lease.cursor)
        await plans.renew(connection)  # it is held for as long as the lease
        rows = await self._page(stop, connection, lease, drawn)
        if rows is not None:
            await self._publish(connection, producer, lease, rows)
            await lease.advance(rows[-1].id if len(rows) == _PAGE else drawn.last)
            self._database.at_hand.passed(lease.cursor)

    async def _nap(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        except TimeoutError:
            return
        self._woken.clear()

    async def _draw(self, connection: AsyncConnection, lease: Lease) -> Fence:
        """Return the fence behind what is to be published next, without an id when there is nothing new."""
        drawn = await fence.draw(connection, _SEQUENCE, lease.cursor)
        if drawn.own is not None and await self._pace.keep():
            drawn = await fence.draw(connection, _SEQUENCE, lease.cursor)
        return drawn

    async def _page(
        self, stop: asyncio.Event, connection: AsyncConnection, lease: Lease, drawn: Fence
    ) -> list[Row] | None:
        """Return the next rows, once every event up to the fence is committed or will never be.

        None when stopped, or when what follows has come to hand meanwhile.
        """
        assert drawn.own is not None, "there is something new"
        began = said_at = asyncio.get_running_loop().time()
        asked = (lease.cursor, drawn.last, _PAGE)
        while not (rows := await fetch(connection, _READ_BEHIND, *asked, drawn.own)):
            if await fence.passed(connection, drawn.own):
                rows = await fetch(connection, _READ, *asked)  # what a transaction drew and took back is not there
                break
            if stop.is_set() or self._database.at_hand.follows(lease.cursor):
                return None
            if await lease.keep():  # a long transaction, of anybody in this database, may hold the fence
                await self._measure(connection, lease)
            if (now := asyncio.get_running_loop().time()) - said_at > _FENCE_SAID_SECONDS:
                said_at = now
                log.warning(
                    "relay_waits_for_transaction", seconds=round(now - began), pending=drawn.last - lease.cursor
                )
            await asyncio.sleep(_FENCE_POLL_SECONDS)  # PostgreSQL tells nobody when a transaction ends
        return [Row(*row) for row in rows]

    async def _measure_at_times(self, connection: AsyncConnection, lease: Lease) -> None:
        """Measure once a second: it costs as much as a page."""
        now = asyncio.get_running_loop().time()
        if now - self._measured_at > _MEASURE_SECONDS:
            self._measured_at = now
            await self._measure(connection, lease)

    async def _measure(self, connection: AsyncConnection, lease: Lease) -> None:
        meters.OUTBOX_PENDING.set(await fence.last_id(connection, _SEQUENCE) - lease.cursor)
        oldest = await connection.execute(_OLDEST, {"cursor": lease.cursor})
        meters.OUTBOX_OLDEST.set(max(0.0, float(oldest.scalar() or 0)))

    async def _publish(self, connection: AsyncConnection, producer: Producer, lease: Lease, rows: list[Row]) -> None:
        """Send a page."""
        if not rows:
            return
        await self._measure_at_times(connection, lease)
        began = time.time_ns()
        await lease.keep_during(producer.send(self._records(rows)))
        tracing.told("publish", [row.traceparent for row in rows], began)

    def _records(self, rows: Sequence[Row]) -> list[Record]:
        return [
            Record(row.topic, row.key.encode(), self._data(row), self._headers(row), int(row.time.timestamp() * 1000))
            for row in rows
        ]

    def _data(self, row: Row) -> bytes | None:
        return outbox.opened(self._database.keyring, row.event_id, row.data)

    def _headers(self, row: Row) -> list[Header]:
        """Return the event's attributes; a dead letter keeps the headers that it came with."""
        if row.headers is not None:
            return [(name, value.encode()) for name, value in row.headers]
        return headers_of(
            event_id=row.event_id,
            event_type=row.type,
            source=self._source,
            subject=row.subject,
            time=row.time,
            sequence=row.id,
            traceparent=row.traceparent,
        )

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("producer_dropped", reason=describe(error))
