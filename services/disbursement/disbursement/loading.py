"""Loads the book of a batch under the pools' locks: a few statements, however many events.

What is asked for at the same time is asked for together (``questions``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import accounts, limits, needs, orders, places, statements
from disbursement.book import Book
from disbursement.lines import HEAD_LENGTH
from disbursement.needs import Needs
from disbursement.questions import Questions, Row, columns_of, records_of
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
from kit.sealing import keyring_of


async def load(connection: AsyncConnection, wanted: Needs, now: datetime) -> Book:
    """Return the book with everything that is needed, its pools locked."""
    book = Book(now, keyring_of(connection))
    asking = Questions(connection, book)
    await _lock_orders(asking, wanted)
    await places.find(asking, wanted)
    await places.load_policies(asking, book, wanted)
    await _lock_pools(asking, wanted)
    await _load_named(asking, book, wanted)
    await _load_around(asking, book, wanted)
    _ask_for_limits(asking, book, wanted)
    await asking.answers()
    return book


# --- the locks --------------------------------------------------------------------------------------------------


async def _lock_orders(asking: Questions, wanted: Needs) -> None:
    if wanted.orders:
        for order in await asking.locked(Order, statements.LOCKED_ORDERS, orders=list(wanted.orders)):
            needs.add_subject(wanted, orders.subject_of(order))


async def _lock_pools(asking: Questions, wanted: Needs) -> None:
    """Lock the pools that are drawn on, in the order of their names, before anything else is read."""
    if wanted.every_pool:
        await asking.locked(Pool, statements.ALL_POOLS_LOCKED)
    elif wanted.pools:
        await asking.locked(Pool, statements.LOCKED_POOLS, pools=list(wanted.pools))


# --- under the locks: what is named, and what that names ----------------------------------------------------------


async def _load_named(asking: Questions, book: Book, wanted: Needs) -> None:
    """Load what is named by its id, and what that names in turn, until nothing new is named."""
    if book.pools and (wanted.approvals or wanted.frees or wanted.lines):
        asking.take(Line, statements.LINES, pools=list(book.pools))
    while True:
        _ask_for_payments(asking, book, wanted)
        _ask_for_awards(asking, wanted)
        _ask_for_heads(asking, book, wanted)
        if not await asking.answers():
            return
        for payment in book.payments.values():
            wanted.claims.add(payment.claim_id)
            wanted.awards.add(payment.award_id)
        wanted.recoveries |= {each.recovery_id for nettings in book.nettings.values() for each in nettings}


def _ask_for_payments(asking: Questions, book: Book, wanted: Needs) -> None:
    """Ask for the payments with what was reported on them, and those that wait for an account."""
    payments, recoveries = asking.new("payments", wanted.payments), asking.new("recoveries", wanted.recoveries)
    verifications = asking.new("verifications", wanted.verifications)
    asking.find(Payment, {"payments": payments, "verifications": verifications})
    netted = {payment.payment_id for payment in book.payments.values() if payment.netted}
    if new := asking.new("netted", netted):
        asking.take(Netting, statements.NETTINGS, payments=new)
    if wanted.reported:
        asking.find(Report, {"payments": payments, "recoveries": recoveries})
    if recoveries:
        asking.ask(
            statements.AWARDS_OF_RECOVERIES,
            lambda rows: wanted.awards.update(award_id for (award_id,) in rows),
            recoveries=recoveries,
        )


def _ask_for_awards(asking: Questions, wanted: Needs) -> None:
    asking.find(Claim, {"claims": asking.new("claims", wanted.claims)})
    asking.find(Application, {"applications": asking.new("applications", wanted.applications)})
    by_application = asking.new("by_application", wanted.by_application)
    asking.find(Award, {"awards": asking.new("awards", wanted.awards), "applications": by_application})


def _ask_for_heads(asking: Questions, book: Book, wanted: Needs) -> None:
    """Ask for those who stand first in the lines, where money may be freed."""
    if not wanted.frees and not wanted.lines:
        return
    waiting = {place for place, line in book.lines.items() if line.waiting}
    for scheme, year in sorted(asking.new("heads", waiting)):
        asking.ask(
            statements.HEAD_OF_LINE,
            partial(_stand_first, book, (scheme, year)),
            scheme=scheme,
            year=year,
            at_most=HEAD_LENGTH,
        )


def _stand_first(book: Book, place: tuple[str, int], rows: Sequence[Row]) -> None:
    """Take those who wait into the book; one that was named is in it already, as it stands."""
    heads = records_of(Application, rows)
    book.heads[place] = [book.applications.get(each.application_id, each) for each in heads]
    for each in book.heads[place]:
        book.take(each)


# --- under the locks: what is around it ---------------------------------------------------------------------------


async def _load_around(asking: Questions, book: Book, wanted: Needs) -> None:
    """Load the demands and accounts of those companies, who they are, and what differs on pools to be resumed."""
    companies, _ = _who_may_be_awarded(book, wanted)
    asking.find(Company, {"companies": companies})
    _ask_for_recoveries(asking, book, wanted)
    _ask_for_accounts(asking, book, wanted)
    if wanted.resumed:
        asking.ask(statements.DIFFERENCES, partial(_differ, book), pools=list(wanted.resumed))
    await asking.answers()
    unknown = {recovery.award_id for recovery in book.recoveries.values()} - book.awards.keys()
    asking.find(Award, {"awards": unknown})
    await asking.answers()


def _ask_for_recoveries(asking: Questions, book: Book, wanted: Needs) -> None:
    """Ask for the demands that are named, those on the named awards, and what claimants owe."""
    named: dict[str, Iterable[Any]] = {"recoveries": wanted.recoveries}
    if wanted.orders or wanted.frees:
        named["awards"] = {*wanted.awards, *book.awards}
    else:
        named["awards"] = [award.award_id for award in book.awards.values() if award.excess]
    if any(policy.payments.net_recoveries for policy in book.policies.values()):
        named["claimants"] = wanted.claimants
    asking.find(Recovery, named, pools=list(book.pools))


def _ask_for_accounts(asking: Questions, book: Book, wanted: Needs) -> None:
    """Ask for the accounts of all companies that may be paid, where any policy wants them verified."""
    companies: set[str] = set()
    if any(policy.payments.verify_account for policy in book.policies.values()):
        companies |= {event.applicant for event in wanted.approvals} | wanted.claimants
        companies |= {payment.applicant for payment in book.payments.values()}
        companies |= {waiting.applicant for head in book.heads.values() for waiting in head}
    asking.find(Account, {"verifications": wanted.verifications, "companies": companies}, partial(_know, book))


def _know(book: Book, rows: Sequence[Row]) -> None:
    for account in records_of(Account, rows):
        if account.sealed != sealing.ERASED:  # under today's key, whatever it was found by before
            account.fingerprint = accounts.fingerprint(book, account)
        book.take(account)


def _differ(book: Book, rows: Sequence[Row]) -> None:
    for pool, check in rows:
        book.differences.setdefault(pool, []).append(check)


# --- under the locks: what limits awards --------------------------------------------------------------------------


def _ask_for_limits(asking: Questions, book: Book, wanted: Needs) -> None:
    """Ask for the envelopes, caps and contracts of everything that may be awarded or freed."""
    keys = {(award.scheme, award.fiscal_year) for award in book.awards.values()} | wanted.envelopes
    keys |= {(each.scheme, each.fiscal_year) for each in book.applications.values()}
    keys |= {(event.scheme, _year(book, event.scheme, event.policy_version)) for event in wanted.approvals}
    if keys:
        schemes, years = columns_of(keys)
        asking.take(Envelope, statements.ENVELOPES, schemes=schemes, years=years)
    for (scheme, year), members in _holders(book, wanted).items():  # apart: one array costs less than three
        asking.take(Cap, statements.CAPS, scheme=scheme, year=year, holders=list(members))
    _, contracts = _who_may_be_awarded(book, wanted)
    contracts |= {
        (award.contract_provider, award.contract_number)
        for award in book.awards.values()
        if award.contract_provider is not None and award.contract_number is not None
    }
    if contracts:
        providers, numbers = columns_of(contracts)
        asking.take(Stack, statements.STACKS, providers=providers, numbers=numbers)


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


def _holders(book: Book, wanted: Needs) -> dict[tuple[str, int], set[str]]:
    """Return whose caps may be drawn on, by scheme and year."""
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
    return holders


def _year(book: Book, scheme: str, version: str) -> int:
    policy = book.policies.get((scheme, version))
    return book.year(policy) if policy else 0
