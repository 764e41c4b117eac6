"""Disbursement's deadlines: a payment that finance does not report on is asked about; nothing here moves money.

The step takes the same path as an event: the book is loaded under the pools' locks, changed and stored, and the
question leaves through the outbox. An unknown outcome is asked about, never sent again (domain.md, rule 5).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PaymentStatusRequested
from contracts.money import Money
from disbursement import store, waits
from disbursement.book import Book
from disbursement.records import Payment
from kit.clocks import Missed, Waiting

_DUE: Final = text(
    "SELECT payment_id FROM payments WHERE next_step_at <= :now ORDER BY next_step_at, payment_id LIMIT :limit"
)
_WAITING: Final = text(
    """
    SELECT status, count(*) AS open, min(due_at) AS earliest_due FROM payments
    WHERE status IN ('instructed', 'returned') GROUP BY status
    """
)


class Deadlines:
    """What ``kit.clocks`` asks about, answered from the payments."""

    kinds: Sequence[str] = tuple(waits.KINDS.values())

    async def due(self, connection: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
        rows = await connection.execute(_DUE, {"now": now, "limit": limit})
        return list(rows.scalars())

    async def miss(self, connection: AsyncConnection, subjects: Sequence[UUID], now: datetime) -> Missed:
        book = await store.load(connection, (), now, payment_ids=subjects)
        kinds = [kind for payment_id in subjects if (kind := _miss(book, book.payments[payment_id]))]
        await store.store(connection, book)
        return Missed(book.said, kinds)

    async def waiting(self, connection: AsyncConnection) -> Mapping[str, Waiting]:
        rows = await connection.execute(_WAITING)
        return {waits.KINDS[row.status]: Waiting(row.open, row.earliest_due) for row in rows}


def _miss(book: Book, payment: Payment) -> str | None:
    """Act on one missed deadline; return its kind, or None when the payment has moved on."""
    policy = book.policy(payment.scheme, book.awards[payment.award_id].policy_version)
    deadline = waits.deadline_of(payment, policy.clocks)
    if deadline is None or not waits.is_due(payment, book.now):
        return None
    book.touch(payment)
    if waits.miss(payment, deadline, book.now):
        book.say(_question(payment, book.now))
    return waits.kind_of(payment)


def _question(payment: Payment, now: datetime) -> PaymentStatusRequested:
    return PaymentStatusRequested(
        occurred_at=now,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        money=Money(payment.amount),
        end_to_end_id=payment.end_to_end_id,
        instructed_at=payment.instructed_at,
        attempt=payment.attempt,
        question=payment.questions,
    )
