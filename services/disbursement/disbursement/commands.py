"""What finance may ask for over HTTP: orders, their approval, and reports of systems without Kafka.

A group of commands works on one book, as a batch of events does. A command either refuses before it changes anything,
or changes the book and gives its answer. The group is committed before any answer leaves.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PaymentReturned, PaymentSettled
from contracts.refusal import Refusal
from disbursement import loading, meters, needs, orders, store, views
from disbursement.book import Book
from disbursement.handlers import hear
from disbursement.needs import Needs
from kit.groups import Outcome
from kit.idempotency import Answer, Key, answer
from kit.outbox import Announcements


class Propose(msgspec.Struct, frozen=True, kw_only=True):
    """Order something; what takes two persons waits for the second."""

    key: Key | None
    traceparent: str | None
    by: str
    subject: orders.AnySubject
    reason: str


class Decide(msgspec.Struct, frozen=True, kw_only=True):
    """Approve somebody else's order, or reject one."""

    key: Key | None
    traceparent: str | None
    by: str
    order_id: UUID
    approve: bool
    reason: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank did, from a finance system without Kafka: the same as its event."""

    key: Key | None
    traceparent: str | None
    event: PaymentSettled | PaymentReturned


Command = Propose | Decide | Report


async def apply(
    connection: AsyncConnection, commands: Sequence[Command], now: datetime
) -> tuple[list[Outcome], Announcements]:
    """Carry out a group of commands on one book; return each one's answer or refusal, and what is to be told."""
    book = await loading.load(connection, _needs(commands), now)
    outcomes: list[Outcome] = []
    for command in commands:
        book.said.traceparent = command.traceparent
        try:
            outcomes.append(_carry_out(book, command))
        except Refusal as refusal:
            outcomes.append(refusal)
    store.store(connection, book)
    meters.count(book)
    return outcomes, book.said


def _needs(commands: Sequence[Command]) -> Needs:
    wanted = needs.of_events(command.event for command in commands if isinstance(command, Report))
    for command in commands:
        match command:
            case Propose(subject=subject):
                needs.add_subject(wanted, subject)
            case Decide(order_id=order_id):
                wanted.orders.add(order_id)
    return wanted


def _carry_out(book: Book, command: Command) -> Answer:
    match command:
        case Propose():
            order = orders.propose(book, command.subject, command.reason, command.by)
            return answer(201, views.order(order))
        case Decide(approve=True):
            return answer(200, views.order(orders.approve(book, command.order_id, command.by)))
        case Decide():
            return answer(200, views.order(orders.reject(book, command.order_id, command.by, command.reason)))
        case Report():
            return answer(200, _report(book, command))


def _report(book: Book, command: Report) -> dict[str, object]:
    kept = hear(book, command.event)
    return {"payment_id": kept.payment_id, "effect": kept.effect, "detail": kept.detail}
