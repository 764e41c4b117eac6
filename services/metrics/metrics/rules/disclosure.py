"""Which sums of a pool may be shown by themselves: none that few companies are behind, nor one that gives those away.

The sums of a pool's districts, and of its months, add up to what is public of the pool. So one sum that is left out
could be worked out from the others. Those that are left out are shown as one, ``REST``, which has to have enough
companies behind it too: until it has, the next smallest sum joins it. It is the threshold rule of official statistics,
with secondary suppression.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import msgspec

LEAST_COMPANIES: Final = 5
ENOUGH_COMPANIES: Final = 20
"""From here on nobody counts: what is behind a sum is kept up to as many, whichever came first."""
REST: Final = "other"


class Behind(msgspec.Struct, frozen=True):
    """How many companies are behind a sum, up to ENOUGH_COMPANIES; and which, where fewer than LEAST_COMPANIES are."""

    companies: int = 0
    few: frozenset[UUID] = frozenset()


class Cell(msgspec.Struct, frozen=True):
    """One district's or month's sums, in fen: what left ``available``, what was paid out, and who is behind either."""

    key: str
    promised: int
    disbursed: int
    promised_to: Behind = Behind()
    paid_to: Behind = Behind()


class Disclosed(msgspec.Struct, frozen=True):
    """What may be shown, in the order of the keys, ``REST`` last. ``withheld``: how many keys REST stands for."""

    cells: Sequence[Cell]
    withheld: int


def disclose(cells: Sequence[Cell]) -> Disclosed:
    """Return the same sums with the small ones as one; all sums still add up, to the fen."""
    rest = [cell for cell in cells if not _is_large([cell])]
    shown = sorted((cell for cell in cells if _is_large([cell])), key=_size)
    while rest and shown and not _is_large(rest):
        rest.append(shown.pop(0))
    kept = sorted(shown, key=lambda cell: cell.key)
    if not rest:
        return Disclosed(kept, 0)
    return Disclosed([*kept, Cell(REST, sum(c.promised for c in rest), sum(c.disbursed for c in rest))], len(rest))


def _size(cell: Cell) -> tuple[int, int, str]:
    """Order cells by who is behind them, not by sums: those change places, which would tell of what is merged."""
    return cell.paid_to.companies, cell.promised_to.companies, cell.key


def _is_large(cells: Sequence[Cell]) -> bool:
    """Return whether enough companies are behind each of the two sums of these cells, or nothing ever moved there."""
    return all(count is None or count >= LEAST_COMPANIES for count in _counts(cells))


def _counts(cells: Sequence[Cell]) -> Iterator[int | None]:
    """Yield how many companies are behind what was promised and what was paid; None where nothing is."""
    for sums, behind in (
        ([cell.promised for cell in cells], [cell.promised_to for cell in cells]),
        ([cell.disbursed for cell in cells], [cell.paid_to for cell in cells]),
    ):
        most = max(each.companies for each in behind)
        named = frozenset().union(*(each.few for each in behind))
        yield None if not any(sums) and not most else max(most, len(named))
