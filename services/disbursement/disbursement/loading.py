"""Loads the book of a batch under the pools' locks: a few statements, however many events."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy
from disbursement import accounts, limits, needs, orders, tables
from disbursement.book import Book
from disbursement.lines import HEAD_LENGTH
from disbursement.needs import Needs
from disbursement.records import (
    Account,
    Application,
    Award,
    Cap,
    Claim,
    Company,
    Envelope,
    Line,
    Netting,
    Order,
    Payment,
    Pool,
    Recovery,
    Report,
    Stack,
)
from kit import sealing
from kit.among import among, pairs_among
from kit.sealing import keyring_of

R = TypeVar("R")


async def load(connection: AsyncConnection, wanted: Needs, now: datetime) -> Book:
    """Return the book with everything that is needed, its pools locked."""
    book = Book(now, keyring_of(connection))
    await _lock_orders(connection, book, wanted)
    await _find_places(connection, wanted)
    await _load_policies(connection, book, wanted)
    await _lock_pools(connection, book, wanted)
    await _load_lines(connection, book, wanted)
    await _load_payments(connection, book, wanted)
    await _load_awards(connection, book, wanted)
    await _load_recoveries(connection, book, wanted)
    await _load_limits(connection, book, wanted)
    await _load_accounts(connection, book, wanted)
    await _load_differences(connection, book, wanted)
    return book


# --- before the locks: whose pools they are ---------------------------------------------------------------------


async def _lock_orders(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    if not wanted.orders:
        return
    columns = tables.orders.c
    query = select(tables.orders).where(among(columns.order_id, wanted.orders)).order_by(columns.order_id)
    for order in await _take(connection, book, Order, query.with_for_update()):
        needs.add_subject(wanted, orders.subject_of(order))


async def _find_places(connection: AsyncConnection, wanted: Needs) -> None:
    """Find the scheme and pool of what is named by its id; they never change."""
    for table, column, ids in (
        (tables.payments, tables.payments.c.payment_id, wanted.payments),
        (tables.recoveries, tables.recoveries.c.recovery_id, wanted.recoveries),
        (tables.awards, tables.awards.c.award_id, wanted.awards),
    ):
        if ids:
            query = select(table.c.scheme, table.c.pool).where(among(column, ids)).distinct()
            for row in await connection.execute(query):
                wanted.schemes.add(row.scheme)
                wanted.pools.update({row.pool} - {None})
    if wanted.lines:
        query = select(tables.lines.c.pool).where(pairs_among(_pair(tables.lines.c), wanted.lines))
        wanted.pools.update((await connection.execute(query)).scalars())


async def _load_policies(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load all versions of the schemes spoken of: they are few, and a policy.published has to find its own.

    Where money may be freed, those who wait for it may be of any scheme.
    """
    query = select(cast(tables.policies.c.policy, Text))
    if not (wanted.frees or wanted.every_pool):
        query = query.where(among(tables.policies.c.scheme, wanted.schemes | wanted.draws))
    for document in (await connection.execute(query)).scalars():
        policy = _policy(document)
        book.policies[policy.scheme, policy.version] = policy
        if policy.scheme in wanted.draws and policy.pool:
            wanted.pools.add(policy.pool)


@lru_cache(maxsize=256)
def _policy(document: str) -> Policy:
    """Return the policy that a document holds; most batches speak of the same few."""
    return msgspec.json.decode(document, type=Policy)


async def _lock_pools(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Lock the pools that are drawn on, in the order of their names, before anything else is read."""
    query = select(tables.pools).order_by(tables.pools.c.pool).with_for_update()
    if not wanted.every_pool:
        if not wanted.pools:
            return
        query = query.where(among(tables.pools.c.pool, wanted.pools))
    await _take(connection, book, Pool, query)


# --- under the locks --------------------------------------------------------------------------------------------


async def _load_lines(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the lines of the locked pools, and those who stand first in them where money may be freed."""
    if not book.pools or not (wanted.approvals or wanted.frees or wanted.lines):
        return
    await _take(connection, book, Line, select(tables.lines).where(among(tables.lines.c.pool, book.pools)))
    columns = tables.applications.c
    for (scheme, year), line in sorted(book.lines.items()):
        if not line.waiting or not (wanted.frees or wanted.lines):
            continue
        query = (
            select(tables.applications)
            .where(columns.scheme == scheme, columns.fiscal_year == year, columns.state == "waitlisted")
            .order_by(columns.submitted_at, columns.application_id)
            .limit(HEAD_LENGTH)
        )
        book.heads[scheme, year] = await _take(connection, book, Application, query)


async def _load_payments(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the payments with what was reported on them, and those that wait for an account."""
    columns = tables.payments.c
    named: list[ColumnElement[bool]] = []
    if wanted.payments:
        named.append(among(columns.payment_id, wanted.payments))
    if wanted.verifications:
        named.append((columns.status == "held") & among(columns.verification_id, wanted.verifications))
    if named:
        for payment in await _take(connection, book, Payment, select(tables.payments).where(or_(*named))):
            wanted.claims.add(payment.claim_id)
            wanted.awards.add(payment.award_id)
        netted = [payment.payment_id for payment in book.payments.values() if payment.netted]
        if netted:
            query = select(tables.nettings).where(among(tables.nettings.c.payment_id, netted))
            for netting in await _take(connection, book, Netting, query):
                wanted.recoveries.add(netting.recovery_id)
    if wanted.reported:
        told = tables.reports.c
        about = or_(
            among(told.payment_id, wanted.payments),
            among(told.recovery_id, wanted.recoveries),
        )
        await _take(connection, book, Report, select(tables.reports).where(about, told.effect == "moved"))


async def _load_awards(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load claims, applications and awards by the ids that are named."""
    if wanted.recoveries:
        column = tables.recoveries.c
        query = select(column.award_id).where(among(column.recovery_id, wanted.recoveries))
        wanted.awards.update((await connection.execute(query)).scalars())
    await _take_by(connection, book, Claim, tables.claims.c.claim_id, wanted.claims)
    unknown = wanted.applications - book.applications.keys()
    await _take_by(connection, book, Application, tables.applications.c.application_id, unknown)
    columns = tables.awards.c
    named = [among(columns.award_id, wanted.awards)] if wanted.awards else []
    if wanted.by_application:
        named.append(among(columns.application_id, wanted.by_application))
    if named:
        await _take(connection, book, Award, select(tables.awards).where(or_(*named)))


async def _load_recoveries(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the demands that are named, those on the named awards, and what claimants owe."""
    columns = tables.recoveries.c
    named: list[ColumnElement[bool]] = []
    if wanted.recoveries:
        named.append(among(columns.recovery_id, wanted.recoveries))
    if wanted.orders or wanted.frees:
        named.append(among(columns.award_id, {*wanted.awards, *book.awards}))
    elif exceeding := [award.award_id for award in book.awards.values() if award.excess]:
        named.append(among(columns.award_id, exceeding))
    nets = {scheme for (scheme, _), policy in book.policies.items() if policy.payments.net_recoveries}
    if wanted.claimants and nets:
        named.append(
            (columns.status == "demanded")
            & among(columns.applicant, wanted.claimants)
            & among(columns.pool, book.pools)
        )
    if named:
        owed = await _take(connection, book, Recovery, select(tables.recoveries).where(or_(*named)))
        unknown = {recovery.award_id for recovery in owed} - book.awards.keys()
        await _take_by(connection, book, Award, tables.awards.c.award_id, unknown)


async def _load_limits(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the envelopes, cap groups, caps and contracts of everything that may be awarded or freed."""
    keys = {(award.scheme, award.fiscal_year) for award in book.awards.values()} | wanted.envelopes
    keys |= {(each.scheme, each.fiscal_year) for each in book.applications.values()}
    keys |= {(event.scheme, _year(book, event.scheme, event.policy_version)) for event in wanted.approvals}
    if keys:
        columns = tables.envelopes.c
        await _take(connection, book, Envelope, select(tables.envelopes).where(pairs_among(_pair(columns), keys)))
    companies, contracts = _who_may_be_awarded(book, wanted)
    await _take_by(connection, book, Company, tables.companies.c.uscc, companies)
    await _load_caps(connection, book, wanted)
    contracts |= {
        (award.contract_provider, award.contract_number)
        for award in book.awards.values()
        if award.contract_provider is not None and award.contract_number is not None
    }
    if contracts:
        place = [tables.stacks.c.provider, tables.stacks.c.number]
        await _take(connection, book, Stack, select(tables.stacks).where(pairs_among(place, contracts)))


def _who_may_be_awarded(book: Book, wanted: Needs) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the companies and the contracts of all approvals in the batch and in the loaded lines."""
    companies: set[str] = set()
    contracts: set[tuple[str, str]] = set()
    for event in wanted.approvals:
        companies |= {event.applicant, *event.cap_members}
        if event.stack and event.contract:
            contracts.add((event.contract.provider, event.contract.number))
    for head in book.heads.values():
        for waiting in head:
            approval = waiting.approval or {}
            companies |= {waiting.applicant, *approval.get("cap_members", ())}
            if approval.get("stack") and approval.get("contract"):
                contracts.add((approval["contract"]["provider"], approval["contract"]["number"]))
    return companies, contracts


async def _load_caps(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    holders: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    by_application: defaultdict[UUID, set[str]] = defaultdict(set)
    for event in wanted.approvals:
        by_application[event.application_id].update(event.cap_members)
    for award in book.awards.values():
        of_award = {*limits.members(book, award.applicant), *by_application[award.application_id]}
        holders[award.scheme, award.fiscal_year] |= of_award
    for event in wanted.approvals:
        of_scheme = holders[event.scheme, _year(book, event.scheme, event.policy_version)]
        of_scheme.add(event.applicant)
        of_scheme.update(event.cap_members)
        of_scheme.update(limits.members(book, event.applicant))
    for place, head in book.heads.items():
        for waiting in head:
            holders[place].update(limits.members(book, waiting.applicant))
    columns = tables.caps.c
    for (scheme, year), members in holders.items():  # apart: one array for each costs less than three for all
        query = select(tables.caps).where(columns.scheme == scheme, columns.fiscal_year == year)
        await _take(connection, book, Cap, query.where(among(columns.holder, members)))


async def _load_accounts(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the accounts of all companies that may be paid, where any policy wants them verified."""
    columns = tables.accounts.c
    named = [among(columns.verification_id, wanted.verifications)] if wanted.verifications else []
    if any(policy.payments.verify_account for policy in book.policies.values()):
        companies = {event.applicant for event in wanted.approvals} | wanted.claimants
        companies |= {payment.applicant for payment in book.payments.values()}
        companies |= {waiting.applicant for head in book.heads.values() for waiting in head}
        if companies:
            named.append(among(columns.applicant, companies))
    if named:
        rows = await connection.execute(select(tables.accounts).where(or_(*named)))
        for account in (Account(**row) for row in rows.mappings()):
            if account.sealed != sealing.ERASED:  # under today's key, whatever it was found by before
                account.fingerprint = accounts.fingerprint(book, account)
            book.take(account)


async def _load_differences(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load which checks of the reconciliation differ on the pools that are to be resumed."""
    if not wanted.resumed:
        return
    columns = tables.reconciliations.c
    query = select(columns.pool, columns.check_name).where(columns.pool.in_(wanted.resumed), columns.difference > 0)
    for row in await connection.execute(query.order_by(columns.check_name)):
        book.differences.setdefault(row.pool, []).append(row.check_name)


# --- how rows are taken -------------------------------------------------------------------------------------------


def _year(book: Book, scheme: str, version: str) -> int:
    policy = book.policies.get((scheme, version))
    return book.year(policy) if policy else 0


def _pair(columns: Any) -> list[Any]:
    return [columns.scheme, columns.fiscal_year]


async def _take_by(
    connection: AsyncConnection, book: Book, kind: type[R], column: Any, values: Iterable[UUID | str]
) -> list[R]:
    wanted = set(values)
    return await _take(connection, book, kind, select(column.table).where(among(column, wanted))) if wanted else []


async def _take(connection: AsyncConnection, book: Book, kind: type[R], query: Select[Any]) -> list[R]:
    """Return the rows as records that are in the book."""
    records = [kind(**row) for row in (await connection.execute(query)).mappings()]
    for record in records:
        book.take(record)  # type: ignore[arg-type]  # every kind that is taken has a place
    return records
