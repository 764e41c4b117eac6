"""What the tests of the kit share: delivery tables that are empty, events of their own, a way to wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.events import RecoveryDemanded
from contracts.money import Money
from kit import migrations
from kit.database import Database
from kit.identifiers import uuid7
from stack.kafka import Kafka
from stack.postgres import Postgres
from tests.kit import broker

# The database of the one service that writes no events of its own: its outbox is free for tests.
SERVICE = "metrics"
TOPIC = "disbursement.payments"
DELIVERY_TABLES = ("outbox", "inbox", "consumer_offset", "parked", "redrive_audit", "idempotency", "tallies")
NOW = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
async def database_url(postgres: Postgres) -> str:
    await migrations.upgrade(SERVICE, postgres.owner_dsn(SERVICE))
    return postgres.dsn(SERVICE)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    found = Database(database_url, pool_size=24, name="test")
    async with found.transaction() as connection:
        for table in DELIVERY_TABLES:
            await connection.execute(text(f"DELETE FROM {table}"))
        last = text("(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq)")
        await connection.execute(text(f"UPDATE relay SET cursor = {last}, expires_at = '-infinity'"))
    yield found
    await found.close()


def company(random: Random | None = None) -> str:
    """A key of one's own, in the form of a company's code."""
    return "".join((random or Random()).choices("0123456789", k=18))


def event(applicant: str, reason: str = "", recovery_id: UUID | None = None) -> RecoveryDemanded:
    """An event that no service acts upon."""
    return RecoveryDemanded(
        occurred_at=NOW,
        application_id=uuid4(),
        scheme="compute-voucher",
        applicant=applicant,
        recovery_id=recovery_id or uuid7(),
        award_id=uuid4(),
        money=Money(1),
        reason=reason,
    )


async def eventually(check: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until ``check`` holds."""
    async with asyncio.timeout(seconds):
        while True:
            held = check()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def group(database: Database, kafka: Kafka) -> str:
    """A consumer group of one's own that begins where the topic ends now."""
    name = f"test-{uuid4().hex[:8]}"
    await broker.start_at(database, name, await broker.ends_of(kafka.bootstrap, [TOPIC]))
    return name
