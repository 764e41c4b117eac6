"""What was published against what is on the topics that disbursement writes, and whose money an event speaks of."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.topics import TOPICS
from disbursement import tables
from disbursement.reconciliation.rules import Difference
from kit import published
from kit.database import Database
from kit.published import Finding, Position
from kit.topic_reader import Place

OWN_TOPICS: Final = sorted(topic.name for topic in TOPICS.values() if topic.writer == "disbursement" and topic.events)


class Read(msgspec.Struct):
    """What was found, and how far the topics agree with the outbox."""

    differences: list[Difference]
    positions: dict[Place, Position]


async def read_on(database: Database, bootstrap: str, go_on: Callable[[], None]) -> Read:
    """Compare what was published since the last time. Raises TransientError while the brokers do not answer."""
    async with database.reading() as connection:
        rows = await connection.execute(select(tables.topic_positions))
        positions = {(row.topic, row.partition): Position(row.next_offset, row.checked_id) for row in rows}
    compared = await published.compare(database, bootstrap, OWN_TOPICS, positions, go_on)
    async with database.reading() as connection:
        differences = await _differences(connection, compared.findings)
    return Read(differences, compared.positions)


async def _differences(connection: AsyncConnection, findings: Iterable[Finding]) -> list[Difference]:
    """Give each finding its pool and its amount, as far as the event or its award tells them."""
    told = [(finding, _data(finding)) for finding in findings]
    ids = {award_id for _, data in told if (award_id := _award_id(data)) is not None}
    columns = tables.awards.c
    rows = await connection.execute(select(columns.award_id, columns.pool).where(columns.award_id.in_(sorted(ids))))
    pools: dict[UUID | None, str | None] = {row.award_id: row.pool for row in rows}
    known = set((await connection.execute(select(tables.pools.c.pool))).scalars())
    differences = []
    for finding, data in told:
        named = [pool for pool in known if pool in (data.get("pool"), pools.get(_award_id(data)))]
        pool = named[0] if len(named) == 1 else None
        differences.append(Difference("outbox", pool, max(1, _amount(data)), finding.words))
    return differences


def _data(finding: Finding) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(finding.data or b"")
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _award_id(data: dict[str, Any]) -> UUID | None:
    try:
        return UUID(data["award_id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _amount(data: dict[str, Any]) -> int:
    money = data.get("money")
    amount = money.get("amount") if isinstance(money, dict) else None
    return amount if type(amount) is int and 0 < amount < 1 << 53 else 1
