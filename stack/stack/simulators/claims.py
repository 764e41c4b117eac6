"""What a company claims against its award: monthly invoices that use a part, all, or more than all of it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from stack.simulators.asks import Ask

_TAX_PERCENT: Final = 6
# Shares of the expected expense that the claims of one company add up to; above 1 the award's rest limits them.
_SHARES_USED: Final = (0.0, 0.4, 0.7, 1.0, 1.0, 1.0, 1.3)
_REPEATS_AN_INVOICE: Final = 0.08
_TWO_INVOICES: Final = 0.3


@dataclass(frozen=True, slots=True)
class InvoicePlan:
    """An invoice as the seller wrote it; ``amount`` with tax, both in fen."""

    number: str
    seller: str
    issued_on: date
    amount: int
    tax: int


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """A claim to be filed. ``name`` tells a company's claims apart; ``repeats`` an invoice claimed before.

    ``body`` is set where another scheme than the compute voucher says what is sent.
    """

    name: str
    invoices: tuple[InvoicePlan, ...]
    starts_on: date
    ends_on: date
    repeats: bool = False
    body: dict[str, Any] | None = None


def claims(seed: int, ask: Ask, today: date, run: str = "") -> list[ClaimPlan]:
    """Return the claims of this company in the order of filing; none at all for one in seven."""
    if ask.wish is not None:
        return [ClaimPlan(f"{n}", (), today, today, body=body) for n, body in enumerate(ask.wish.claims, start=1)]
    draw = random.Random(f"claims {seed} {ask.company.index}")
    expense = int(ask.amount * draw.choice(_SHARES_USED))
    count = draw.randint(1, 3)
    if expense < count:
        return []
    months = zip(_periods(ask, today, count), _parts(draw, expense, count), strict=True)
    plans = [
        ClaimPlan(f"{number}", tuple(_invoices(draw, ask, net, ends_on, f"{run}{number}")), starts_on, ends_on)
        for number, ((starts_on, ends_on), net) in enumerate(months, start=1)
    ]
    if draw.random() < _REPEATS_AN_INVOICE:
        plans.append(replace(plans[0], name="repeat", repeats=True))
    return plans


def _periods(ask: Ask, today: date, count: int) -> list[tuple[date, date]]:
    """Cut the time since the contract's start into ``count`` periods; the last one ends before today."""
    begin, end = ask.contract.starts_on, min(today, ask.contract.ends_on)
    cuts = [begin + (end - begin) * number // count for number in range(count + 1)]
    return [(cuts[number], cuts[number + 1] - timedelta(days=1)) for number in range(count)]


def _parts(draw: random.Random, total: int, count: int) -> list[int]:
    """Cut an amount into ``count`` parts of unequal size."""
    weights = [draw.uniform(0.5, 1.5) for _ in range(count)]
    parts = [int(total * weight / sum(weights)) for weight in weights]
    return [*parts[:-1], total - sum(parts[:-1])]


def _invoices(draw: random.Random, ask: Ask, net: int, issued_on: date, name: str) -> Iterator[InvoicePlan]:
    """Yield one or two invoices over ``net`` fen of expense, tax on top."""
    parts = _parts(draw, net, 2) if draw.random() < _TWO_INVOICES else [net]
    for place, part in enumerate(parts):
        tax = part * _TAX_PERCENT // 100
        number = random.Random(f"{ask.contract.number} {name} {place}").randrange(10**18)
        yield InvoicePlan(f"26{number:018d}", ask.contract.provider, issued_on, part + tax, tax)
