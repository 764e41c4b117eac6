"""Builds the events that disbursement hears, and hands them to its handlers as the consumer would."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.chain import GENESIS
from contracts.common import Account, Text
from contracts.events import (
    ApplicationApproved,
    ApplicationWithdrawn,
    ClaimVerified,
    Event,
    PaymentReturned,
    PaymentSettled,
    PolicyPublished,
    RecoveryReceived,
)
from contracts.money import Money
from contracts.policy import Policy
from contracts.topics import TOPIC_OF, event_type
from disbursement import orders, store, tables
from disbursement.book import Book
from disbursement.clocks import Deadlines, Subject
from disbursement.commands import Command, Decide, Propose, apply
from disbursement.handlers import handle
from disbursement.programme import Appropriation, open_in
from disbursement.records import Pool
from kit.clocks import Missed
from kit.idempotency import Answer
from kit.identifiers import uuid7
from kit.messages import Message
from kit.sealing import keyring_of

POOL = "test-pool"
SCHEME = "test-voucher"
NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
YUAN = 100
POOL_FEN = 1_000_000 * YUAN
ENVELOPE_FEN = 500_000 * YUAN
CAP_FEN = 100_000 * YUAN
PROGRAMME = """
pools:
  - {pool: test-pool, name: {zh-CN: 测试, en: Test}, appropriated: {amount: 100000000, currency: CNY}}
"""

E = TypeVar("E", bound=Event)


def policy(**changes: Any) -> Policy:
    """Return a policy of 60 %, a cap of CNY 100,000 and an envelope of CNY 500,000."""
    values: dict[str, Any] = {
        "scheme": SCHEME,
        "version": "1",
        "provisional": False,
        "title": Text(zh="测试", en="Test"),
        "rule": Text(zh="测试", en="Test"),
        "pool": POOL,
        "kind": "voucher",
        "number_prefix": "TV",
        "effective_from": date(2026, 1, 1),
        "effective_until": date(2026, 12, 31),
        "windows": (),
        "districts": ("nanshan",),
        "rate": 6000,
        "cap": Money(CAP_FEN),
        "envelope": Money(ENVELOPE_FEN),
        "validity_months": 12,
        "criteria": (),
    }
    return Policy(**values | changes)


def approved(amount: int, *, applicant: str = "91440300MA5FXXXX0T", minute: int = 0, **changes: Any) -> Any:
    """Return an approval of ``amount`` fen, submitted ``minute`` minutes after the start."""
    values: dict[str, Any] = {
        "occurred_at": NOW,
        "application_id": uuid7(),
        "scheme": SCHEME,
        "applicant": applicant,
        "pool": POOL,
        "district": "nanshan",
        "policy_version": "1",
        "provisional": False,
        "kind": "voucher",
        "approved": Money(amount),
        "rate": 6000,
        "cap_holder": applicant,
        "creditor": Account(name="A", account="1", bank_code="B"),
        "reasons": (),
        "submitted_at": NOW + timedelta(minutes=minute),
    }
    return ApplicationApproved(**values | changes)


def withdrawn(approval: ApplicationApproved) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(
        occurred_at=NOW,
        application_id=approval.application_id,
        scheme=approval.scheme,
        applicant=approval.applicant,
    )


def verified(award: Any, eligible: int, *, claim_id: UUID | None = None, **changes: Any) -> ClaimVerified:
    """Return a verified claim of ``eligible`` fen of expense against an award."""
    values: dict[str, Any] = {
        "occurred_at": NOW,
        "application_id": award.application_id,
        "scheme": award.scheme,
        "applicant": award.applicant,
        "claim_id": claim_id or uuid7(),
        "award_id": award.award_id,
        "eligible": Money(eligible),
        "reasons": (),
        "submitted_at": NOW,
    }
    return ClaimVerified(**values | changes)


def settled(payment: Any, *, amount: int | None = None, **changes: Any) -> PaymentSettled:
    values: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "end_to_end_id": payment.end_to_end_id,
        "money": Money(payment.money.amount if amount is None else amount),
        "bank_reference": "REF",
        "settled_at": NOW,
    }
    return PaymentSettled(**values | changes)


def returned(payment: Any, **changes: Any) -> PaymentReturned:
    values: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "end_to_end_id": payment.end_to_end_id,
        "money": payment.money,
        "bank_reference": "REF",
        "reason_code": "AC04",
        "returned_at": NOW,
    }
    return PaymentReturned(**values | changes)


def received(recovery: Any, amount: int, *, reference: str = "R1") -> RecoveryReceived:
    """Return a receipt of ``amount`` fen on a demand."""
    return RecoveryReceived(
        recovery_id=recovery.recovery_id, money=Money(amount), bank_reference=reference, received_at=NOW
    )


def message(event: Event) -> Message:
    """Wrap an event as if it had come from Kafka."""
    topic = TOPIC_OF[type(event)]
    key = str(getattr(event, topic.key, ""))  # finance keys what is about no payment by its own id
    return Message(uuid7(), event_type(type(event)), NOW, key, topic.name, 0, 0, None, event)


class Scene:
    """Disbursement on an open transaction: tell it events, look at what it says and keeps."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def tell(self, *events: Event, now: datetime = NOW) -> list[Event]:
        """Handle the events as one batch; return what was announced."""
        said = await handle(self.connection, [message(event) for event in events], now)
        await said.make_writes()
        return [announcement.event for announcement in said]

    async def order(
        self, subject: orders.AnySubject, *, by: str = "first", second: str | None = "second", now: datetime = NOW
    ) -> list[Event]:
        """Propose an order and have a second person approve it, where it takes two; return what was announced.

        Raises the Refusal that either of them meets.
        """
        propose = Propose(key=None, traceparent=None, by=by, subject=subject, reason="because it is so")
        answer, said = await self.command(propose, now)
        order = msgspec.json.decode(answer.body)
        if order["status"] == "proposed" and second is not None:
            approve = Decide(key=None, traceparent=None, by=second, order_id=UUID(order["order_id"]), approve=True)
            _, more = await self.command(approve, now)
            said += more
        return said

    async def approve_last(self) -> list[Event]:
        """Have a second person approve what was proposed last; return what was announced, or raise its Refusal."""
        columns = tables.orders.c
        newest = select(columns.order_id).where(columns.status == "proposed").order_by(columns.order_id.desc()).limit(1)
        order_id = (await self.connection.execute(newest)).scalar_one()
        return (await self.command(Decide(key=None, traceparent=None, by="second", order_id=order_id, approve=True)))[1]

    async def command(self, command: Command, now: datetime = NOW) -> tuple[Answer, list[Event]]:
        """Carry out one command; raise its Refusal."""
        [outcome], said = await apply(self.connection, [command], now)
        await said.make_writes()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, [announcement.event for announcement in said]

    async def miss(self, due: Sequence[Subject], now: datetime) -> Missed:
        """Take the steps that are due."""
        missed = await Deadlines().miss(self.connection, due, now)
        await missed.said.make_writes()
        return missed

    async def pass_time(self, now: datetime) -> list[Event]:
        """Let the clocks' turn come at ``now``, until nothing is due; return what was announced."""
        deadlines, told = Deadlines(), []
        while due := await deadlines.due(self.connection, now, 100):
            told += [said.event for said in (await self.miss(due, now)).said]
        return told

    async def tell_one_by_one(self, *events: Event) -> list[Event]:
        """Handle each event in a batch of its own."""
        return [event for told in events for event in await self.tell(told)]

    async def pool(self) -> Any:
        return (await self.connection.execute(select(tables.pools).where(tables.pools.c.pool == POOL))).one()

    async def envelope(self) -> Any:
        """Return the one envelope in use, or None before the first award."""
        return (await self.connection.execute(select(tables.envelopes))).first()

    async def rows(self, table: Any) -> list[Any]:
        """Return a table's rows by primary key: as they lie on disk is not as they were inserted."""
        return list((await self.connection.execute(select(table).order_by(*table.primary_key))).all())


def only(events: list[Event], kind: type[E]) -> E:
    """Return the one event of a kind; fail when there are none or several."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, f"{len(found)} {kind.__name__} in {[type(event).__name__ for event in events]}"
    return found[0]


async def opened_pool(scene: Scene, amount: int = POOL_FEN) -> None:
    """Open the pool and publish the policy."""
    await scene.connection.execute(
        insert(tables.pools).values(
            msgspec.structs.asdict(Pool(pool=POOL, name_zh="测试", name_en="Test", hash=GENESIS))
        )
    )
    book = Book(NOW, keyring_of(scene.connection))
    book.pools[POOL] = Pool(pool=POOL, name_zh="测试", name_en="Test", hash=GENESIS)
    open_in(book, Appropriation(POOL, Text(zh="测试", en="Test"), Money(amount)))
    await store.store_now(scene.connection, book)
    await publish(scene, policy())


async def publish(scene: Scene, document: Policy) -> None:
    """Publish a policy."""
    await scene.tell(
        PolicyPublished(occurred_at=NOW, scheme=document.scheme, policy_version=document.version, policy=document)
    )
