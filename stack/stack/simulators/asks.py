"""What a company asks for: its expected expense and the signed contract behind it.

Sizes as in reality: many small, few large. Half of the asks are below CNY 700,000; about one in
twenty-five is above CNY 16,666,667, where 60 % meets the cap of CNY 10,000,000.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from stack.simulators.population import BLOCK, Company, Role
from stack.simulators.relations import group, owner_of, providers, unlisted_seller

_FEN: Final = 100
_MEDIAN_YUAN: Final = 600_000
_SPREAD: Final = 1.1  # of the logarithm: p99 is about 13 times the median
_LEAST_YUAN, _MOST_ORDINARY_YUAN = 20_000, 16_600_000
_AT_CAP_YUAN: Final = (16_700_000, 40_000_000)
_GROUPED_YUAN: Final = (7_000_000, 14_000_000)  # two or three of a group pass the cap together


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed contract; ``amount`` in fen."""

    number: str
    provider: str
    signed_on: date
    starts_on: date
    ends_on: date
    amount: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What a company sends under a scheme: the request and the claims, as the contract writes them."""

    scheme: str
    request: dict[str, Any]
    claims: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """An application to be: ``amount`` is the expected expense in fen.

    It is for a compute voucher, unless there is a ``wish``, which says what is sent under another scheme.
    """

    company: Company
    amount: int
    contract: Signed
    wish: Wish | None = None


def ask(seed: int, company: Company, today: date, run: str = "") -> Ask:
    """Return what the company asks for. ``run`` keeps the contracts of repeated runs apart."""
    draw = random.Random(f"ask {seed} {company.index}")
    amount = _expense(draw, company.role)
    signed_on = today - timedelta(days=draw.randint(45, 150))
    starts_on = signed_on + timedelta(days=draw.randint(0, 10))
    contract = Signed(
        number=f"SLHT-{signed_on.year}-{company.uscc[-7:]}{run and '-' + run}",
        provider=_seller(draw, seed, company),
        signed_on=signed_on,
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=draw.choice((270, 365, 365, 730)) - 1),
        amount=_contract_amount(draw, company.role, amount),
    )
    return Ask(company, amount, contract)


def _expense(draw: random.Random, role: Role) -> int:
    if role is Role.AT_CAP:
        yuan = draw.uniform(*_AT_CAP_YUAN)
    elif role is Role.GROUPED:
        yuan = draw.uniform(*_GROUPED_YUAN)
    else:
        expected = _MEDIAN_YUAN * draw.lognormvariate(0, _SPREAD)
        yuan = min(max(expected, _LEAST_YUAN), _MOST_ORDINARY_YUAN)
    # Most contracts are round; a third carries odd fen, so that rounding is met.
    return int(yuan * _FEN) if draw.random() < 1 / 3 else int(yuan) // 100 * 100 * _FEN


def _contract_amount(draw: random.Random, role: Role, expense: int) -> int:
    if role is Role.OVER_CONTRACT:
        return expense * 8 // 10
    return expense if draw.random() < 0.8 else int(expense * draw.uniform(1.0, 1.3))


def _seller(draw: random.Random, seed: int, company: Company) -> str:
    chosen = draw.choice(providers(seed)).uscc
    match company.role:
        case Role.SELLS_TO_ITSELF:
            return company.uscc
        case Role.UNLISTED_SELLER:
            return unlisted_seller(seed)
        case Role.GROUPED:
            return _seller_of_grouped(seed, company, chosen)
        case _:
            return chosen


def _seller_of_grouped(seed: int, company: Company, chosen: str) -> str:
    """The first of a provider's own companies buys from it; the others from a provider that owns nobody."""
    block = company.index // BLOCK
    owner = owner_of(seed, block)
    if owner is None:
        return chosen
    return owner if group(seed, block)[0] == company.index else providers(seed)[0].uscc
