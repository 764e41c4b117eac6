"""By SQLAlchemy's ORM: a session per request, the counter's row locked, objects added, one commit."""

from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID

import msgspec
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry

from benchmarks.peers.synchronous import acceptance
from benchmarks.peers.synchronous.acceptance import Accepted, Sent
from contracts.policy import Policy
from intake import tables
from kit.database import async_url, to_json
from kit.idempotency import Answer, reused

CONNECTIONS: Final = 16
_known: Final = tables.metadata.tables
_registry: Final = registry()
_counters: Final = Table(
    "counters",
    MetaData(),  # the service has no such table
    Column("scheme", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)


class _Row:
    """What is mapped to a table; its attributes are the columns."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


class Counter(_Row):
    last: int


class ApplicationRow(_Row):
    application_id: UUID


class TimelineRow(_Row):
    position: int


class OutboxRow(_Row):
    id: Any


class IdempotencyRow(_Row):
    request_hash: bytes
    status: int
    headers: str
    body: bytes


for _kind, _table in (
    (Counter, _counters),
    (ApplicationRow, tables.applications),
    (TimelineRow, tables.timeline),
    (OutboxRow, _known["outbox"]),
    (IdempotencyRow, _known["idempotency"]),
):
    _registry.map_imperatively(_kind, _table)


class Orm:
    """The store."""

    def __init__(self, engine: AsyncEngine, policies: dict[str, Policy]) -> None:
        self._engine = engine
        self._policies = policies
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    async def open(cls, url: str, policies: dict[str, Policy]) -> Self:
        engine = create_async_engine(
            async_url(url),
            pool_size=CONNECTIONS,
            max_overflow=0,
            json_serializer=to_json,
            json_deserializer=msgspec.json.decode,
        )
        return cls(engine, policies)

    async def accept(self, sent: Sent) -> Answer:
        """Return the answer, once it is on disk. A request that lost a race for its key finds the answer then."""
        try:
            return await self._accept(sent)
        except IntegrityError:
            return await self._accept(sent)

    async def _accept(self, sent: Sent) -> Answer:
        async with self._sessions.begin() as session:
            if found := await session.get(IdempotencyRow, (sent.key.client, sent.key.key)):
                if found.request_hash != sent.key.request_hash:
                    raise reused(sent.key)
                return Answer(found.status, found.body, msgspec.json.decode(found.headers))
            now = datetime.now(UTC)
            policy = acceptance.check(self._policies, sent, now)
            accepted = acceptance.accept(policy, sent, await self._number(session, policy, now), now)
            session.add_all(_rows(sent, accepted, now))
        return accepted.answer

    async def _number(self, session: AsyncSession, policy: Policy, now: datetime) -> int:
        year = acceptance.year_of(policy, now)
        query = select(Counter).filter_by(scheme=policy.scheme, year=year).with_for_update()
        counter = (await session.execute(query)).scalar_one()
        counter.last += 1
        return counter.last

    async def close(self) -> None:
        await self._engine.dispose()


def _rows(sent: Sent, accepted: Accepted, now: datetime) -> list[_Row]:
    application = accepted.application
    return [
        ApplicationRow(**msgspec.structs.asdict(application)),
        TimelineRow(
            application_id=application.application_id, position=1, at=now, type="application.submitted", data={}
        ),
        OutboxRow(
            id=func.nextval("outbox_id_seq"),
            event_id=accepted.event_id,
            topic=acceptance.TOPIC,
            key=application.applicant,
            type=acceptance.TYPE,
            subject=str(application.application_id),
            time=now,
            traceparent=sent.traceparent,
            data=accepted.event,
            created_at=now,
        ),
        IdempotencyRow(
            client=sent.key.client,
            key=sent.key.key,
            request_hash=sent.key.request_hash,
            status=accepted.answer.status,
            headers=to_json(accepted.answer.headers),
            body=accepted.answer.body,
            created_at=now,
        ),
    ]
