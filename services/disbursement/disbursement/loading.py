"""Loads the book of a batch under the pools' locks: a few statements, however many events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.policy import Policy
from disbursement import accounts, limits, needs, orders, statements
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
from kit.driver import Prepared
from kit.sealing import keyring_of

R = TypeVar("R")

_MOST_KNOWN: Final = 1_000
# What policies say, by scheme, version and the transaction that wrote them. They never change, and are large.
_known_policies: dict[tuple[str, str, int], Policy] = {}


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
    if wanted.orders:
        for order in await _take(connection, book, Order, statements.LOCKED_ORDERS, orders=list(wanted.orders)):
            needs.add_subject(wanted, orders.subject_of(order))


async def _find_places(connection: AsyncConnection, wanted: Needs) -> None:
    """Find the scheme and pool of what is named by its id; they never change."""
    for places, ids in (
        (statements.PLACES_OF_PAYMENTS, wanted.payments),
        (statements.PLACES_OF_RECOVERIES, wanted.recoveries),
        (statements.PLACES_OF_AWARDS, wanted.awards),
    ):
        if ids:
            for scheme, pool in await places.rows(connection, ids=list(ids)):
                wanted.schemes.add(scheme)
                wanted.pools.update({pool} - {None})
    if wanted.lines:
        schemes, years = _columns(wanted.lines)
        rows = await statements.POOLS_OF_LINES.rows(connection, schemes=schemes, years=years)
        wanted.pools.update(pool for (pool,) in rows)


async def _load_policies(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load all versions of the schemes spoken of: they are few, and a policy.published has to find its own.

    Where money may be freed, those who wait for it may be of any scheme.
    """
    if wanted.frees or wanted.every_pool:
        rows = await statements.VERSIONS.rows(connection)
    elif schemes := wanted.schemes | wanted.draws:
        rows = await statements.VERSIONS_OF_SCHEMES.rows(connection, schemes=list(schemes))
    else:
        return
    places = [(scheme, version, written_by) for scheme, version, written_by in rows]
    await _learn_policies(connection, places)
    for place in places:
        policy = book.policies[place[:2]] = _known_policies[place]
        if policy.scheme in wanted.draws and policy.pool:
            wanted.pools.add(policy.pool)


async def _learn_policies(connection: AsyncConnection, places: list[tuple[str, str, int]]) -> None:
    """Read the policies that this process has not met yet; most batches speak of the same few."""
    unknown = [place for place in places if place not in _known_policies]
    if not unknown:
        return
    if len(_known_policies) >= _MOST_KNOWN:
        _known_policies.clear()
        unknown = places
    schemes, versions, _ = _columns(unknown)
    documents = await statements.POLICIES.rows(connection, schemes=schemes, versions=versions)
    found = {(scheme, version): document for scheme, version, document in documents}
    for place in unknown:
        _known_policies[place] = msgspec.json.decode(found[place[:2]], type=Policy)


async def _lock_pools(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Lock the pools that are drawn on, in the order of their names, before anything else is read."""
    if wanted.every_pool:
        await _take(connection, book, Pool, statements.ALL_POOLS_LOCKED)
    elif wanted.pools:
        await _take(connection, book, Pool, statements.LOCKED_POOLS, pools=list(wanted.pools))


# --- under the locks --------------------------------------------------------------------------------------------


async def _load_lines(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the lines of the locked pools, and those who stand first in them where money may be freed."""
    if not book.pools or not (wanted.approvals or wanted.frees or wanted.lines):
        return
    await _take(connection, book, Line, statements.LINES, pools=list(book.pools))
    for (scheme, year), line in sorted(book.lines.items()):
        if line.waiting and (wanted.frees or wanted.lines):
            place = {"scheme": scheme, "year": year, "at_most": HEAD_LENGTH}
            head = await _take(connection, book, Application, statements.HEAD_OF_LINE, **place)
            book.heads[scheme, year] = head


async def _load_payments(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the payments with what was reported on them, and those that wait for an account."""
    named = {"payments": wanted.payments, "verifications": wanted.verifications}
    for payment in await _find(connection, book, Payment, named):
        wanted.claims.add(payment.claim_id)
        wanted.awards.add(payment.award_id)
    netted = [payment.payment_id for payment in book.payments.values() if payment.netted]
    if netted:
        for netting in await _take(connection, book, Netting, statements.NETTINGS, payments=netted):
            wanted.recoveries.add(netting.recovery_id)
    if wanted.reported:
        await _find(connection, book, Report, {"payments": wanted.payments, "recoveries": wanted.recoveries})


async def _load_awards(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load claims, applications and awards by the ids that are named."""
    if wanted.recoveries:
        rows = await statements.AWARDS_OF_RECOVERIES.rows(connection, recoveries=list(wanted.recoveries))
        wanted.awards.update(award_id for (award_id,) in rows)
    await _find(connection, book, Claim, {"claims": wanted.claims})
    await _find(connection, book, Application, {"applications": wanted.applications - book.applications.keys()})
    await _find(connection, book, Award, {"awards": wanted.awards, "applications": wanted.by_application})


async def _load_recoveries(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the demands that are named, those on the named awards, and what claimants owe."""
    named: dict[str, Iterable[Any]] = {"recoveries": wanted.recoveries}
    if wanted.orders or wanted.frees:
        named["awards"] = {*wanted.awards, *book.awards}
    else:
        named["awards"] = [award.award_id for award in book.awards.values() if award.excess]
    if any(policy.payments.net_recoveries for policy in book.policies.values()):
        named["claimants"] = wanted.claimants
    owed = await _find(connection, book, Recovery, named, pools=list(book.pools))
    unknown = {recovery.award_id for recovery in owed} - book.awards.keys()
    await _find(connection, book, Award, {"awards": unknown})


async def _load_limits(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the envelopes, cap groups, caps and contracts of everything that may be awarded or freed."""
    keys = {(award.scheme, award.fiscal_year) for award in book.awards.values()} | wanted.envelopes
    keys |= {(each.scheme, each.fiscal_year) for each in book.applications.values()}
    keys |= {(event.scheme, _year(book, event.scheme, event.policy_version)) for event in wanted.approvals}
    if keys:
        schemes, years = _columns(keys)
        await _take(connection, book, Envelope, statements.ENVELOPES, schemes=schemes, years=years)
    companies, contracts = _who_may_be_awarded(book, wanted)
    await _find(connection, book, Company, {"companies": companies})
    await _load_caps(connection, book, wanted)
    contracts |= {
        (award.contract_provider, award.contract_number)
        for award in book.awards.values()
        if award.contract_provider is not None and award.contract_number is not None
    }
    if contracts:
        providers, numbers = _columns(contracts)
        await _take(connection, book, Stack, statements.STACKS, providers=providers, numbers=numbers)


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
    for (scheme, year), members in holders.items():  # apart: one array for each costs less than three for all
        await _take(connection, book, Cap, statements.CAPS, scheme=scheme, year=year, holders=list(members))


async def _load_accounts(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load the accounts of all companies that may be paid, where any policy wants them verified."""
    companies: set[str] = set()
    if any(policy.payments.verify_account for policy in book.policies.values()):
        companies |= {event.applicant for event in wanted.approvals} | wanted.claimants
        companies |= {payment.applicant for payment in book.payments.values()}
        companies |= {waiting.applicant for head in book.heads.values() for waiting in head}
    named: dict[str, Iterable[Any]] = {"verifications": wanted.verifications, "companies": companies}
    for account in await _found(connection, Account, named):
        if account.sealed != sealing.ERASED:  # under today's key, whatever it was found by before
            account.fingerprint = accounts.fingerprint(book, account)
        book.take(account)


async def _load_differences(connection: AsyncConnection, book: Book, wanted: Needs) -> None:
    """Load which checks of the reconciliation differ on the pools that are to be resumed."""
    if wanted.resumed:
        for pool, check in await statements.DIFFERENCES.rows(connection, pools=list(wanted.resumed)):
            book.differences.setdefault(pool, []).append(check)


# --- how rows are taken -------------------------------------------------------------------------------------------


def _year(book: Book, scheme: str, version: str) -> int:
    policy = book.policies.get((scheme, version))
    return book.year(policy) if policy else 0


def _columns(keys: Iterable[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Return keys as the statements take them: in their order, a list for each part. There must be one at least."""
    return tuple(map(list, zip(*sorted(keys), strict=True)))


async def _find(
    connection: AsyncConnection, book: Book, kind: type[R], named: Mapping[str, Iterable[Any]], **more: Any
) -> list[R]:
    """Return what is found by any of these names (``statements.FINDING``), as records that are in the book."""
    return _taken(book, await _found(connection, kind, named, **more))


async def _found(
    connection: AsyncConnection, kind: type[R], named: Mapping[str, Iterable[Any]], **more: Any
) -> list[R]:
    ways = {name: list(values) for name, values in named.items() if values}
    if not ways:
        return []
    rows = await statements.FINDING[kind, frozenset(ways)].rows(connection, **ways, **more)
    return [kind(**row) for row in rows]


async def _take(connection: AsyncConnection, book: Book, kind: type[R], statement: Prepared, **values: Any) -> list[R]:
    """Return the statement's rows as records that are in the book."""
    return _taken(book, [kind(**row) for row in await statement.rows(connection, **values)])


def _taken(book: Book, records: list[R]) -> list[R]:
    for record in records:
        book.take(record)  # type: ignore[arg-type]  # every kind that is taken has a place
    return records
