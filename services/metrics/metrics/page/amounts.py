"""How the page writes amounts and shares: rounded for reading, exact to the fen beside it. Pure."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from contracts.common import Text
from contracts.money import FEN_PER_YUAN, yuan

_CENT: Final = Decimal("0.01")
_UNITS: Final = {
    "zh-CN": ((10**8, "{} 亿元"), (10**4, "{} 万元"), (1, "{} 元")),
    "en": ((10**9, "CNY {} billion"), (10**6, "CNY {} million"), (1, "CNY {}")),
}
_EXACT: Final = Text(zh="{} 元", en="CNY {}")
_MINUS: Final = "\N{MINUS SIGN}"


def rounded(fen: int, language: str) -> str:
    """Return an amount in the largest unit of which it has one: ``3.52 亿元``, ``CNY 351.65 million``.

    Rounded to even, and a sum that is not zero never reads as zero: below the smallest unit it is written exactly.
    """
    sign = _MINUS if fen < 0 else ""
    for yuan_per_unit, words in _UNITS[language]:
        value = (Decimal(abs(fen)) / (yuan_per_unit * FEN_PER_YUAN)).quantize(_CENT, ROUND_HALF_EVEN)
        if value >= 1:
            return words.format(f"{sign}{value:,}")
    return exact(fen, language)


def bare(text: str) -> str:
    """Return an amount without its currency: for a table whose head names it."""
    return text.removeprefix("CNY ")


def exact(fen: int, language: str) -> str:
    """Return an amount to the fen: ``351,649,960.91 元``."""
    return _EXACT.in_language(language).format(yuan(fen).replace("-", _MINUS))


def percent(part: int, whole: int) -> str:
    """Return a share with one decimal. It is 0 % or 100 % only where that is exactly so."""
    if whole <= 0:
        return "–"
    share = (Decimal(part * 100) / whole).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if part > 0 and share < Decimal("0.1"):
        return "<0.1%"
    if part < whole and share >= 100:
        return "99.9%"
    return f"{share}%".replace("-", _MINUS)


def length(part: int, whole: int) -> float:
    """Return how long a bar is, in percent of the longest: what is there at all can be seen."""
    if part <= 0 or whole <= 0:
        return 0.0
    return round(min(100.0, max(0.4, 100 * part / whole)), 2)


def stacked(parts: Sequence[int], whole: int) -> list[tuple[float, float]]:
    """Return (start, length) of each part of a bar, in percent. The longest gives way where short ones need room."""
    lengths = [length(part, whole) for part in parts]
    if sum(parts) == whole > 0:
        longest = lengths.index(max(lengths))
        lengths[longest] = round(100 - sum(lengths) + lengths[longest], 2)
    return [(round(sum(lengths[:place]), 2), each) for place, each in enumerate(lengths)]
