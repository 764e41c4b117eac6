"""Money: a whole number of fen with its currency, everywhere but on a screen and in a Prometheus metric."""

from typing import Annotated, Final, Literal

import msgspec

FEN_PER_YUAN: Final = 100
BASIS_POINTS: Final = 10_000

# JSON readers that keep numbers in doubles (JavaScript, jq) are exact up to here.
LARGEST_EXACT_INTEGER: Final = 2**53 - 1

Fen = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_EXACT_INTEGER, description="whole fen, 1 CNY = 100 fen")]
Rate = Annotated[int, msgspec.Meta(ge=0, le=BASIS_POINTS, description="hundredths of a percent, 10000 = 100 %")]


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount of money in fen, never negative: a direction is said by the field that holds it."""

    amount: Fen
    currency: Literal["CNY"] = "CNY"


def share(amount: int, rate: int) -> int:
    """Return ``rate`` (basis points) of ``amount`` (fen), rounded down to the fen (domain.md, Pools)."""
    return amount * rate // BASIS_POINTS


def yuan(amount: int) -> str:
    """Return fen as yuan for people: ``123456789`` is ``1,234,567.89``."""
    sign = "-" if amount < 0 else ""
    whole, fen = divmod(abs(amount), FEN_PER_YUAN)
    return f"{sign}{whole:,}.{fen:02d}"
