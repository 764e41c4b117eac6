"""Loads the book of a batch under the pools' locks, and stores what changed: a few statements, however many events."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Select, Table, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from contracts.events import (
    ApplicationApproved,
    ApplicationWithdrawn,
    ClaimVerified,
    Event,
    PaymentReturned,
    PaymentSettled,
)
from contracts.policy import Policy
from disbursement import rules, tables
from disbursement.book import Book
from disbursement.records import Application, Award, Cap, Claim, Envelope, Payment, Pool, Report
from kit.rows import insert_rows, rows_of, update_rows

_MOVERS: Final = (ApplicationApproved, ApplicationWithdrawn, ClaimVerified)

R = TypeVar("R")

# As many of a waitlist as one batch may serve. Whoever stands behind them is served by a later one.
_LINE_LOADED: Final = 500

_STORED: Final[tuple[tuple[type[Any], Table], ...]] = (
    (Pool, tables.pools),
    (Envelope, tables.envelopes),
    (Cap, tables.caps),
    (Application, tables.applications),
    (Award, tables.awards),
    (Claim, tables.claims),
    (Payment, tables.payments),
    (Report, tables.reports),
)


async def load(
    connection: AsyncConnection, events: Sequence[Event], now: datetime, *, payment_ids: Iterable[UUID] = ()
) -> Book:
    """Return the book with everything that these events, and what happens to these payments, may touch.

    Its pools are locked.
    """
    book = Book(now)
    reported = {event.payment_id for event in events if isinstance(event, PaymentSettled | PaymentReturned)}
    concerned = reported | set(payment_ids)
    places = await _places(connection, concerned)
    await _load_policies(connection, book, events, {scheme for scheme, _ in places})
    await _lock_pools(connection, book, events, {pool for _, pool in places})
    await _load_awards(connection, book, events, concerned)
    await _load_limits(connection, book, events)
    return book


async def store(connection: AsyncConnection, book: Book) -> None:
    """Write the changed records, the new transfers, policies and reports."""
    for kind, table in _STORED:
        await insert_rows(connection, table, book.added(kind))
        await update_rows(connection, table, book.touched(kind))
    await insert_rows(connection, tables.transfers, rows_of(book.transfers))
    rows = [
        {"scheme": policy.scheme, "version": policy.version, "policy": to_builtins(policy)}
        for policy in book.new_policies
    ]
    await insert_rows(connection, tables.policies, rows)


# --- loading ----------------------------------------------------------------------------------------------


async def _places(connection: AsyncConnection, payment_ids: set[UUID]) -> list[tuple[str, str]]:
    """Return the scheme and pool of each payment, which never change."""
    if not payment_ids:
        return []
    columns = tables.payments.c
    query = select(columns.scheme, columns.pool).where(columns.payment_id.in_(sorted(payment_ids))).distinct()
    return [(row.scheme, row.pool) for row in await connection.execute(query)]


async def _load_policies(connection: AsyncConnection, book: Book, events: Iterable[Event], schemes: set[str]) -> None:
    """Load all versions of the schemes spoken of: they are few, and a policy.published has to find its own."""
    schemes = schemes | {scheme for event in events if (scheme := getattr(event, "scheme", None))}
    if schemes:
        query = select(tables.policies.c.policy).where(tables.policies.c.scheme.in_(sorted(schemes)))
        for document in (await connection.execute(query)).scalars():
            policy = msgspec.convert(document, Policy)
            book.policies[(policy.scheme, policy.version)] = policy


async def _lock_pools(connection: AsyncConnection, book: Book, events: Iterable[Event], pools: set[str]) -> None:
    """Lock the pools that the events draw on, in the order of their names, before anything else is read."""
    schemes = {event.scheme for event in events if isinstance(event, _MOVERS)}
    wanted = pools | {policy.pool for policy in book.policies.values() if policy.scheme in schemes and policy.pool}
    if wanted:
        locked = select(tables.pools).where(tables.pools.c.pool.in_(sorted(wanted)))
        for pool in await _records(connection, Pool, locked.order_by(tables.pools.c.pool).with_for_update()):
            book.pools[pool.pool] = pool


async def _load_awards(
    connection: AsyncConnection, book: Book, events: Iterable[Event], payment_ids: set[UUID]
) -> None:
    """Load payments, claims, applications and awards by the ids that the events name."""
    claim_ids = {event.claim_id for event in events if isinstance(event, ClaimVerified)}
    award_ids = {event.award_id for event in events if isinstance(event, ClaimVerified)}
    application_ids = {
        event.application_id for event in events if isinstance(event, ApplicationApproved | ApplicationWithdrawn)
    }
    if payment_ids:
        query = select(tables.payments).where(tables.payments.c.payment_id.in_(sorted(payment_ids)))
        for payment in await _records(connection, Payment, query):
            book.payments[payment.payment_id] = payment
            claim_ids.add(payment.claim_id)
            award_ids.add(payment.award_id)
    if claim_ids:
        query = select(tables.claims).where(tables.claims.c.claim_id.in_(sorted(claim_ids)))
        book.claims = {claim.claim_id: claim for claim in await _records(connection, Claim, query)}
    if application_ids:
        query = select(tables.applications).where(tables.applications.c.application_id.in_(sorted(application_ids)))
        book.applications = {found.application_id: found for found in await _records(connection, Application, query)}
    if award_ids or application_ids:
        columns = tables.awards.c
        query = select(tables.awards).where(
            or_(columns.award_id.in_(sorted(award_ids)), columns.application_id.in_(sorted(application_ids)))
        )
        book.awards = {award.award_id: award for award in await _records(connection, Award, query)}


async def _load_limits(connection: AsyncConnection, book: Book, events: Iterable[Event]) -> None:
    """Load the envelopes, the waitlists and the caps of everything that may be awarded, claimed or freed."""
    approvals = [event for event in events if isinstance(event, ApplicationApproved)]
    keys = {(award.scheme, award.fiscal_year) for award in book.awards.values()}
    keys |= {(found.scheme, found.fiscal_year) for found in book.applications.values()}
    keys |= {(event.scheme, _year(book, event)) for event in approvals}
    if keys:
        columns = tables.envelopes.c
        query = select(tables.envelopes).where(tuple_(columns.scheme, columns.fiscal_year).in_(sorted(keys)))
        for envelope in await _records(connection, Envelope, query):
            book.envelopes[(envelope.scheme, envelope.fiscal_year)] = envelope
    if approvals or any(isinstance(event, ApplicationWithdrawn) for event in events):
        await _load_lines(connection, book, keys)
    await _load_caps(connection, book, approvals)


async def _load_lines(connection: AsyncConnection, book: Book, keys: Iterable[tuple[str, int]]) -> None:
    columns = tables.applications.c
    for scheme, year in sorted(keys):
        query = (
            select(tables.applications)
            .where(columns.scheme == scheme, columns.fiscal_year == year, columns.state == "waitlisted")
            .order_by(columns.submitted_at, columns.application_id)
            .limit(_LINE_LOADED + 1)
        )
        line = await _records(connection, Application, query)
        if len(line) > _LINE_LOADED:
            book.longer_lines.add((scheme, year))
        line = [book.applications.setdefault(found.application_id, found) for found in line[:_LINE_LOADED]]
        book.waiting[(scheme, year)] = line


async def _load_caps(connection: AsyncConnection, book: Book, approvals: Iterable[ApplicationApproved]) -> None:
    keys = {(event.scheme, _year(book, event), event.cap_holder) for event in approvals}
    keys |= {(award.scheme, award.fiscal_year, award.cap_holder) for award in book.awards.values()}
    for (scheme, year), line in book.waiting.items():
        keys |= {(scheme, year, found.approval["cap_holder"]) for found in line if found.approval}
    if keys:
        columns = tables.caps.c
        query = select(tables.caps).where(tuple_(columns.scheme, columns.fiscal_year, columns.holder).in_(sorted(keys)))
        for cap in await _records(connection, Cap, query):
            book.caps[(cap.scheme, cap.fiscal_year, cap.holder)] = cap


def _year(book: Book, event: ApplicationApproved) -> int:
    policy = book.policies.get((event.scheme, event.policy_version))
    return rules.fiscal_year(book.now, policy.timezone) if policy else 0


async def _records(connection: AsyncConnection, kind: type[R], query: Select[Any]) -> list[R]:
    return [kind(**row) for row in (await connection.execute(query)).mappings()]
