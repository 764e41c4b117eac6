"""Fen as the decimals of a file, and back. No floating point on the way."""

from decimal import Decimal
from typing import Final

from contracts.money import FEN_PER_YUAN

# ISO 4217: CNY has two decimals. The schemas allow five, for any currency.
CNY_DECIMALS: Final = 2


def written(fen: int) -> str:
    """Return an amount with exactly two decimals: 5 fen are ``0.05``."""
    assert fen >= 0, "an amount in a file has no sign"
    yuan, rest = divmod(fen, FEN_PER_YUAN)
    return f"{yuan}.{rest:02d}"


def signed(fen: int) -> str:
    """Return a sum, which may be below zero, as a file would write it."""
    return f"{'-' if fen < 0 else ''}{written(abs(fen))}"


def read_amount(text: str) -> int | None:
    """Return the fen of a schema-valid amount, or None when it is written with more decimals than CNY has."""
    value = Decimal(text.strip())
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a schema knows no NaN"
    return int(value * FEN_PER_YUAN) if exponent >= -CNY_DECIMALS else None


def read_sum(text: str) -> Decimal:
    """Return a schema-valid control sum in fen. It may have up to 17 decimals, so it need not be whole."""
    return Decimal(text.strip()) * FEN_PER_YUAN
