"""The relay: publishes the outbox to Kafka in the order of its ids, one relay per database at a time.

Ids are drawn before commits, so a row with a lower id may appear after one with a higher id. The sequence fence
makes "all ids up to L" a fact: read the sequence's last value L, take an own transaction id X, and wait until no
transaction at or below X is running. Whoever drew an id up to L owned a transaction id below X, so by then it has
committed or is gone for good.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.errors import KafkaError
from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import meters
from kit.backoff import Backoff, wait
from kit.database import Database, describe
from kit.errors import FencedError, TransientError
from kit.kafka import Producer, Record
from kit.logging import get_logger
from kit.messages import headers_of

log = get_logger(__name__)

_PAGE: Final = 2_000
_FENCE_POLL_SECONDS: Final = 0.002

_ACQUIRE: Final = text(
    """
    UPDATE relay SET holder = :holder, token = token + 1, expires_at = now() + make_interval(secs => :lease)
    WHERE name = 'outbox' AND (expires_at < now() OR holder = :holder) RETURNING token, cursor
    """
)
_ADVANCE: Final = text(
    """
    UPDATE relay SET cursor = :cursor, expires_at = now() + make_interval(secs => :lease)
    WHERE name = 'outbox' AND token = :token
    """
)
_RELEASE: Final = text("UPDATE relay SET expires_at = '-infinity' WHERE name = 'outbox' AND token = :token")
_READ: Final = text(
    """
    SELECT id, event_id, topic, key, type, subject, time, traceparent, data, created_at FROM outbox
    WHERE id > :cursor AND id <= :limit ORDER BY id LIMIT :page
    """
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
    ) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._source = source
        self._holder = holder
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._woken = asyncio.Event()
        self._producer: Producer | None = None
        self.trouble: str | None = "the relay has not started"

    def wake(self) -> None:
        """Say that something was committed to the outbox."""
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
        async with self._database.engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            lease = (await connection.execute(_ACQUIRE, {"holder": self._holder, "lease": self._lease_seconds})).first()
            if lease is None:
                self.trouble = None  # another process relays: that is as it should be
                await wait(stop, self._lease_seconds / 2)
                return
            producer = self._producer = Producer(self._bootstrap, f"{self._source}-relay")
            await producer.start()
            log.info("relay_leads", lease=lease.token, cursor=lease.cursor)
            self.trouble = None
            backoff.reset()
            cursor = await self._publish_until(stop, connection, producer, lease.token, lease.cursor)
            await connection.execute(_RELEASE, {"token": lease.token})
            log.info("relay_released", token=lease.token, cursor=cursor)

    async def _publish_until(
        self, stop: asyncio.Event, connection: AsyncConnection, producer: Producer, token: int, cursor: int
    ) -> int:
        renewed_at = asyncio.get_running_loop().time()
        while not stop.is_set():
            limit = await self._fence(connection, cursor)
            now = asyncio.get_running_loop().time()
            if limit > cursor:
                cursor = await self._publish(connection, producer, token, cursor, limit)
                renewed_at = now
                continue
            meters.OUTBOX_PENDING.set(0)
            meters.OUTBOX_OLDEST.set(0)
            if now - renewed_at > self._lease_seconds / 3:
                await self._advance(connection, token, cursor)
                renewed_at = now
            await self._nap()
        return cursor

    async def _nap(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        except TimeoutError:
            return
        self._woken.clear()

    async def _fence(self, connection: AsyncConnection, cursor: int) -> int:
        """Return an id up to which every event is committed or will never be; the cursor when there is none new."""
        row = (await connection.execute(text("SELECT last_value, is_called FROM outbox_id_seq"))).one()
        last: int = row.last_value if row.is_called else 0
        if last <= cursor:
            return cursor
        meters.OUTBOX_PENDING.set(last - cursor)
        own = (await connection.execute(text("SELECT pg_current_xact_id()"))).scalar_one()
        passed = text("SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(:own AS xid8)")
        deadline = asyncio.get_running_loop().time() + self._lease_seconds / 2
        while not (await connection.execute(passed, {"own": own})).scalar_one():
            if asyncio.get_running_loop().time() > deadline:
                return cursor  # a long transaction holds the fence: renew the lease, then wait on
            await asyncio.sleep(_FENCE_POLL_SECONDS)  # PostgreSQL tells nobody when a transaction ends
        return last

    async def _publish(
        self, connection: AsyncConnection, producer: Producer, token: int, cursor: int, limit: int
    ) -> int:
        """Send one page and move the cursor past it; return the new cursor."""
        rows = (await connection.execute(_READ, {"cursor": cursor, "limit": limit, "page": _PAGE})).all()
        if rows:
            meters.OUTBOX_OLDEST.set(max(0.0, (await self._now(connection) - rows[0].created_at).total_seconds()))
            await producer.send(self._records(rows))
        reached: int = rows[-1].id if len(rows) == _PAGE else limit
        await self._advance(connection, token, reached)
        return reached

    def _records(self, rows: Sequence[Row[Any]]) -> list[Record]:
        return [
            Record(
                row.topic,
                row.key.encode(),
                row.data,
                headers_of(
                    event_id=row.event_id,
                    event_type=row.type,
                    source=self._source,
                    subject=row.subject,
                    time=row.time,
                    sequence=row.id,
                    traceparent=row.traceparent,
                ),
                int(row.time.timestamp() * 1000),
            )
            for row in rows
        ]

    async def _advance(self, connection: AsyncConnection, token: int, cursor: int) -> None:
        values = {"cursor": cursor, "lease": self._lease_seconds, "token": token}
        if (await connection.execute(_ADVANCE, values)).rowcount != 1:
            raise FencedError("another relay has taken the lease")

    async def _now(self, connection: AsyncConnection) -> Any:
        return (await connection.execute(text("SELECT now()"))).scalar_one()

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("producer_dropped", reason=describe(error))
