"""Disbursement's books, committed to a real database, with the hands that spoil and mend them."""

from typing import Any

from sqlalchemy import select, text

from contracts.events import AwardIssued, Event, PaymentInstructed
from contracts.money import Money
from contracts.topics import TOPICS
from disbursement import tables
from disbursement.orders import AnySubject, DemandRecovery
from disbursement.reconciliation import outbox
from disbursement.reconciliation.loop import Reconciler
from disbursement.reconciliation.results import Key
from kit import outbox as announcing
from kit.database import Database
from tests.disbursement.scenes import YUAN, Scene, approved, only, policy, publish, received, settled, verified

COMPANIES = [f"9144030000000000{number:02d}" for number in range(8)]


class Books:
    """Two awards, two payments of which one is settled, and a recovery of which a part came back."""

    def __init__(self, database: Database, owner: Database, bootstrap: str) -> None:
        self.database = database
        self.reconciler = Reconciler(database, bootstrap, every_seconds=0.05, sums_every_seconds=0.05)
        self.instructed: list[PaymentInstructed] = []
        self.awards: list[AwardIssued] = []
        self._owner = owner

    async def open(self) -> None:
        async with self.database.transaction() as connection:
            await publish(Scene(connection), policy())
        await self.begin_anew()
        for company in COMPANIES[:2]:
            self.awards.append(only(await self.tell(approved(60_000 * YUAN, applicant=company)), AwardIssued))
        for award in self.awards:
            self.instructed.append(only(await self.tell(verified(award, 50_000 * YUAN)), PaymentInstructed))
        await self.tell(settled(self.instructed[0]))
        await self.order(DemandRecovery(award_id=self.awards[0].award_id, money=Money(5_000 * YUAN)))
        [recovery] = await self.rows(tables.recoveries)
        await self.tell(received(recovery, 1_000 * YUAN))

    async def begin_anew(self) -> None:
        """Compare the topics from their present ends on: other tests' events lie before."""
        async with self.database.transaction() as connection:
            await connection.execute(text("DELETE FROM topic_positions"))
            for topic in outbox.OWN_TOPICS:
                for partition in range(TOPICS[topic].partitions):
                    values = {"topic": topic, "partition": partition, "next_offset": -1, "checked_id": 0}
                    await connection.execute(tables.topic_positions.insert(), values)

    async def tell(self, *events: Event) -> list[Event]:
        """Handle the events as one batch, commit it with what it says, and return that."""
        async with self.database.transaction() as connection:
            return await self._say(connection, await Scene(connection).tell(*events))

    async def order(self, subject: AnySubject) -> list[Event]:
        async with self.database.transaction() as connection:
            return await self._say(connection, await Scene(connection).order(subject))

    async def _say(self, connection: Any, said: list[Event]) -> list[Event]:
        announcements = announcing.Announcements()
        for event in said:
            announcements.say(event)
        await announcing.add(connection, announcements)
        return said

    async def rows(self, table: Any) -> list[Any]:
        """Return a table's rows by primary key: as they lie on disk is not as they were inserted."""
        async with self.database.reading() as connection:
            return list((await connection.execute(select(table).order_by(*table.primary_key))).all())

    async def look(self, *, sums: bool = True) -> set[Key]:
        return await self.reconciler.look(sums=sums)

    async def detail(self, check: str) -> str:
        """Return what the check says now."""
        [detail] = [row.detail for row in await self.rows(tables.reconciliations) if row.check_name == check]
        return str(detail)

    async def on_hold(self) -> str | None:
        [pool] = await self.rows(tables.pools)
        held: str | None = pool.on_hold
        return held

    async def spoil(self, statements: str) -> None:
        """Change what nobody should, as the owner of the tables, with triggers out of the way."""
        async with self._owner.transaction() as connection:
            await connection.execute(text("ALTER TABLE transfers DISABLE TRIGGER USER"))
            for statement in statements.split(";"):
                await connection.execute(text(statement.replace(":", r"\:")))
            await connection.execute(text("ALTER TABLE transfers ENABLE TRIGGER USER"))
