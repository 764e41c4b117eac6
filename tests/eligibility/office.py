"""The assessor with its real database and its registers, and what it says and keeps."""

import asyncio
from functools import partial
from typing import Any

from sqlalchemy import text

from contracts.codec import decode
from contracts.events import ApplicationSubmitted, Event
from eligibility.assessor import Assessor, retry_of
from eligibility.handover import Handover
from eligibility.records import Assessment
from eligibility.registers import Registers
from eligibility.settings import Settings
from eligibility.shelf import Shelf
from eligibility.store import assessments
from kit.database import Database
from tests.eligibility.scenes import Desk


class Office:
    """An assessor with its database and registers."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.shelf = Shelf()
        self.registers = Registers(settings)
        self.committed = 0
        woken = asyncio.Event()
        self.handover = Handover(
            self.registers,
            self.shelf,
            woken,
            group_size=settings.assessor_group_size,
            lease_seconds=settings.assessor_lease_seconds,
            retry=partial(retry_of, settings),
        )
        self.assessor = Assessor(
            database, self.registers, self.shelf, settings, self.handover, woken=woken, committed=self._committed
        )

    def _committed(self) -> None:
        self.committed += 1

    async def submit(self, *events: Event) -> None:
        async with self.database.transaction() as connection:
            await Desk().hear(connection, *events)

    async def assess(self) -> int:
        return await self.assessor.assess_group(asyncio.Event())

    async def until_settled(self) -> None:
        """Assess until nothing is open."""
        for _ in range(200):
            await self.assess()
            if not await self.open():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("applications are still open")

    async def open(self) -> int:
        return int(await self.scalar("SELECT count(*) FROM assessments WHERE status IN ('pending', 'waiting')"))

    async def scalar(self, query: str) -> Any:
        async with self.database.reading() as connection:
            return (await connection.execute(text(query))).scalar()

    async def find(self, submitted: ApplicationSubmitted) -> Assessment:
        async with self.database.reading() as connection:
            found = await assessments.find(connection, submitted.application_id)
        assert found is not None
        return found

    async def announced(self) -> list[Event]:
        async with self.database.reading() as connection:
            rows = await connection.execute(
                text("SELECT type, data FROM outbox WHERE topic = 'eligibility.decisions' ORDER BY id")
            )
            return [decode(row.type, row.data) for row in rows]
