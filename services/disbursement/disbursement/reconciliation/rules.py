"""What a difference is, in fen and in words. Pure: facts in, differences out."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from contracts.money import yuan
from disbursement.records import Books, Envelope, Pool

CHECKS: Final = ("entries", "identity", "chain", "awards", "payments", "outbox")
SUMS: Final = ("awards", "payments")
"""The checks that add up whole tables, and are made less often."""

BOOKS: Final = ("appropriated", "available", "committed", "obligated", "disbursed")
_SHOWN: Final = 5


class Difference(msgspec.Struct, frozen=True):
    """One thing that does not agree. ``pool`` is None where it can't be told: then it concerns them all.

    ``amount`` is in fen, at least 1: what has no amount of its own, such as a changed text, still shows in a metric.
    """

    check: str
    pool: str | None
    amount: int
    words: str


class Result(msgspec.Struct, frozen=True):
    """What one check says of one pool: 0 and no words, or the differences together, without regard to sign."""

    check: str
    pool: str
    difference: int
    detail: str


class Unequal(msgspec.Struct, frozen=True):
    """Two figures that have to be the same: what is kept of a subject, and what others make of it, in fen.

    ``made`` is None where there is no one figure (two bank reports for one payment).
    """

    pool: str | None
    subject: str
    name: str
    kept: int
    made: int | None
    by: str


def results(checks: Iterable[str], pools: Sequence[str], differences: Iterable[Difference]) -> list[Result]:
    """Return the result of each check on each pool."""
    found: dict[tuple[str, str], list[Difference]] = {(check, pool): [] for check in checks for pool in pools}
    for each in differences:
        for pool in [each.pool] if each.pool is not None and each.pool in pools else pools:
            found[each.check, pool].append(each)
    return [_result(check, pool, several) for (check, pool), several in found.items()]


def _result(check: str, pool: str, several: Sequence[Difference]) -> Result:
    shown = [each.words for each in several[:_SHOWN]]
    if len(several) > _SHOWN:
        shown.append(f"and {len(several) - _SHOWN} more")
    return Result(check, pool, sum(each.amount for each in several), "\n".join(shown))


def of_pool(pool: Pool, sums: Books) -> list[Difference]:
    """Compare a pool's row with what its transfers add up to."""
    return [
        of_figures("entries", Unequal(pool.pool, f"pool {pool.pool}", name, kept, made, "its transfers"))
        for name in BOOKS
        if (kept := getattr(pool, name)) != (made := getattr(sums, name))
    ]


def of_figures(check: str, pair: Unequal) -> Difference:
    """Say what is kept and what it should be."""
    made = "no single amount" if pair.made is None else yuan(pair.made)
    amount = abs(pair.kept - (pair.made or 0))
    return Difference(
        check, pair.pool, max(1, amount), f"{pair.subject}: {pair.name} is {yuan(pair.kept)}, {pair.by} make {made}"
    )


def identity(books: Pool | Envelope) -> list[Difference]:
    """Hold that appropriated = available + committed + obligated + disbursed, and that none is below zero."""
    name = f"pool {books.pool}"
    if isinstance(books, Envelope):
        name = f"envelope of {books.scheme} in {books.fiscal_year}"
    found = [
        Difference("identity", books.pool, -amount, f"{name}: {state} is {yuan(amount)}, below zero")
        for state in BOOKS
        if (amount := getattr(books, state)) < 0
    ]
    made = books.available + books.committed + books.obligated + books.disbursed
    if made != books.appropriated:
        pair = Unequal(books.pool, name, "appropriated", books.appropriated, made, "its four states")
        found.append(of_figures("identity", pair))
    return found
