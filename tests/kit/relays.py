"""Relays for tests, and what they are to publish."""

import asyncio
from typing import Any

from kit import outbox
from kit.database import Database
from kit.outbox import Announcements
from kit.relay import Relay
from tests.kit.broker import header_of
from tests.kit.conftest import event, eventually
from tests.kit.stress import Row

LEASE_SECONDS = 0.6


def relay_of(
    database: Database, bootstrap: str, holder: str = "one", poll_seconds: float = 0.005, pace_seconds: float = 0.0
) -> Relay:
    return Relay(
        database,
        bootstrap,
        source="test",
        holder=holder,
        poll_seconds=poll_seconds,
        lease_seconds=LEASE_SECONDS,
        pace_seconds=pace_seconds,
    )


class Running:
    """A relay that runs: ``stop`` ends it as SIGTERM does, ``crash`` as near to SIGKILL as a task can."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(relay.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        async with asyncio.timeout(10):
            await self._task

    async def crash(self) -> None:
        await eventually(lambda: self.relay.trouble is None)  # a leader: aiokafka's start, cancelled, leaves a socket
        self._task.cancel()
        await asyncio.wait({self._task})


def saying(applicant: str, count: int) -> Announcements:
    said = Announcements()
    for number in range(count):
        said.say(event(applicant, str(number)))
    return said


async def say(database: Database, applicant: str, count: int) -> None:
    """Commit one transaction with this many events."""
    async with database.transaction() as connection:
        await outbox.add(connection, saying(applicant, count))


def rows_of(records: list[Any]) -> list[Row]:
    return [(int(header_of(record, "ce_sequence")), record.key.decode()) for record in records]
