"""Disbursement's deadlines. A step takes the same path as an event: the book is loaded under the pools' locks, changed
and stored, and what there is to say leaves through the outbox.

A payment or an account that finance does not report on is asked about, never paid on a guess (domain.md, rule 5).
Awards expire. Lines are served where money was freed and not all who wait were at hand.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PaymentStatusRequested
from contracts.money import Money
from disbursement import accounts, endings, lines, loading, store, waits
from disbursement.book import Book
from disbursement.needs import Needs
from disbursement.records import Account, Clocked, Payment
from kit.clocks import Missed, Waiting
from kit.driver import fetch

Subject = tuple[str, str]
"""A table and the key of a row in it; a line's key is scheme and year."""

_DUE: Final = """
SELECT subject, key FROM (
  SELECT 'payments' AS subject, payment_id::text AS key, next_step_at FROM payments WHERE next_step_at <= $1
  UNION ALL
  SELECT 'accounts', verification_id::text, next_step_at FROM accounts WHERE next_step_at <= $1
  UNION ALL
  SELECT 'recoveries', recovery_id::text, next_step_at FROM recoveries WHERE next_step_at <= $1
  UNION ALL
  SELECT 'awards', award_id::text, next_step_at FROM awards WHERE next_step_at <= $1
  UNION ALL
  SELECT 'lines', scheme || '/' || fiscal_year, '-infinity' FROM lines WHERE wake
) AS due ORDER BY next_step_at, key LIMIT $2
"""
_WAITING: Final = """
SELECT
  CASE WHEN status = 'instructed' THEN 'payment' WHEN hold = 'release' THEN 'release' ELSE 'account' END AS kind,
  count(*) AS open, min(due_at) AS earliest_due
FROM payments WHERE status IN ('instructed', 'returned', 'held') AND due_at IS NOT NULL GROUP BY 1
UNION ALL
SELECT 'account_check', count(*), min(due_at) FROM accounts WHERE next_step_at IS NOT NULL HAVING count(*) > 0
UNION ALL
SELECT 'recovery', count(*), min(due_at) FROM recoveries WHERE status = 'demanded' HAVING count(*) > 0
UNION ALL
SELECT kind, open, earliest_due FROM (
  SELECT count(*) FILTER (WHERE early), min(next_step_at) FILTER (WHERE early),
    count(*) FILTER (WHERE NOT early), min(next_step_at) FILTER (WHERE NOT early)
  FROM (
    SELECT next_step_at, coalesce(next_step_at < expires_at, false) AS early FROM awards WHERE next_step_at IS NOT NULL
  ) AS one
) AS running (notices, first_notice, expiries, first_expiry)
CROSS JOIN LATERAL (VALUES ('expiry_notice', notices, first_notice), ('expiry', expiries, first_expiry))
  AS each (kind, open, earliest_due) WHERE open > 0
"""


class Deadlines:
    """What ``kit.clocks`` asks about, answered from the records that wait."""

    kinds: Sequence[str] = waits.KINDS

    async def due(self, connection: AsyncConnection, now: datetime, limit: int) -> list[Subject]:
        return [(subject, key) for subject, key in await fetch(connection, _DUE, now, limit)]

    async def miss(self, connection: AsyncConnection, subjects: Sequence[Subject], now: datetime) -> Missed:
        book = await loading.load(connection, _needs(subjects), now)
        kinds = [kind for subject in subjects if (kind := _step(book, *subject))]
        store.store(connection, book)
        return Missed(book.said, kinds)

    async def waiting(self, connection: AsyncConnection) -> Mapping[str, Waiting]:
        rows = await fetch(connection, _WAITING)
        return {kind: Waiting(count, earliest_due) for kind, count, earliest_due in rows}


def _needs(subjects: Sequence[Subject]) -> Needs:
    needs = Needs()
    for table, key in subjects:
        match table:
            case "payments":
                needs.payments.add(UUID(key))
            case "accounts":
                needs.verifications.add(UUID(key))
                needs.every_pool = True
            case "recoveries":
                needs.recoveries.add(UUID(key))
            case "awards":
                needs.awards.add(UUID(key))
                needs.frees = True
            case "lines":
                needs.lines.add(_line(key))
                needs.frees = True
    return needs


def _line(key: str) -> tuple[str, int]:
    scheme, _, year = key.rpartition("/")
    return scheme, int(year)


def _step(book: Book, table: str, key: str) -> str | None:
    """Take what follows for one subject; return the kind of wait that was over, or None when it has moved on."""
    match table:
        case "payments":
            return _miss(book, book.payments[UUID(key)])
        case "accounts":
            found = (each for each in book.accounts.values() if each.verification_id == UUID(key))
            return _miss(book, next(found))
        case "recoveries":
            return _miss(book, book.recoveries[UUID(key)])
        case "awards":
            return endings.on_clock(book, book.awards[UUID(key)])
        case _:
            return _wake(book, _line(key))


def _wake(book: Book, key: tuple[str, int]) -> str | None:
    line = book.lines[key]
    if not line.wake:
        return None
    line.wake = False
    book.touch(line)
    lines.serve(book, line.pool)
    return "line"


def _miss(book: Book, record: Payment | Account | Clocked) -> str | None:
    """Act on one missed deadline; return its kind, or None when the record has moved on."""
    scheme, version = _policy_of(book, record)
    deadline = waits.deadline_of(record, book.policy(scheme, version).clocks)
    if deadline is None or not waits.is_due(record, book.now):
        return None
    book.touch(record)  # type: ignore[arg-type]  # whatever has a clock is a record
    if waits.miss(record, deadline, book.now):
        match record:
            case Payment():
                book.say(_question(record, book.now))
            case Account():
                book.say(accounts.question(book, record))
    return waits.kind_of(record)


def _policy_of(book: Book, record: Clocked) -> tuple[str, str]:
    if isinstance(record, Account):
        return record.scheme, record.policy_version
    award = book.awards[record.award_id]  # type: ignore[attr-defined]  # payments and recoveries have one
    return award.scheme, award.policy_version


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
