"""The lives that are measured: what a company sends, in bytes that are ready, and what should come of it. Pure.

Each is an application of an ordinary company on a contract of its own and one claim on a quarter of its expense, so
that no payment is so large that two persons have to release it. A company comes eight times, as at the opening.
"""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Final

import msgspec

from contracts.money import share
from stack.simulators import bodies
from stack.simulators.asks import ask
from stack.simulators.claims import ClaimPlan, InvoicePlan
from stack.simulators.population import Company, Role, companies

SEED: Final = 1
APPLICATIONS_OF_A_COMPANY: Final = 8
MOST_COMPANIES: Final = 1_000_000
RATE: Final = 6_000
_CLAIMED_PART: Final = 4
_TAX_PERCENT: Final = 6


class Life(msgspec.Struct, frozen=True):
    """One life: the bodies of its two calls, and what it is awarded and paid, in fen."""

    number: int
    application: bytes
    claim: bytes
    awarded: int
    paid: int


def lives(first: int, count: int, today: date, of_a_company: int = APPLICATIONS_OF_A_COMPANY) -> Iterator[Life]:
    """Yield so many lives from this number on, so many of each company, as far apart as can be.

    No number's contract or invoice is another number's. Where fewer than eight are a company's, ``numbers_of`` them
    have to be left free: then no company comes again under a later number.
    """
    each = -(-count // of_a_company)
    begin = first // APPLICATIONS_OF_A_COMPANY
    chosen = _ordinary(begin + each)[begin:]
    for number in range(first, first + count):
        yield _life(number, chosen[(number - first) % each], today)


def numbers_of(count: int, of_a_company: int) -> int:
    """Return how many numbers so many lives use."""
    return -(-count * APPLICATIONS_OF_A_COMPANY // of_a_company)


@lru_cache(maxsize=4)
def _ordinary(count: int) -> list[Company]:
    found = (company for company in companies(SEED, MOST_COMPANIES) if company.role is Role.ORDINARY)
    return list(islice(found, count))


def _life(number: int, company: Company, today: date) -> Life:
    asked = ask(SEED, company, today, run=f"{number}")
    expense = asked.amount // _CLAIMED_PART
    tax = expense * _TAX_PERCENT // 100
    contract = asked.contract
    invoice = InvoicePlan(f"L{number:017d}", contract.provider, contract.starts_on, expense + tax, tax)
    plan = ClaimPlan("1", (invoice,), contract.starts_on, contract.starts_on)
    return Life(
        number=number,
        application=msgspec.json.encode(bodies.application(asked, submit=True)),
        claim=msgspec.json.encode(bodies.claim(plan)),
        awarded=share(asked.amount, RATE),
        paid=share(expense, RATE),
    )
