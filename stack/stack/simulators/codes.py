"""Unified social credit codes (GB 32100-2015) that hide a number: where a company is found again by its code.

A code's serial is the company's index, scattered by the seed. So the registers recognise a code by arithmetic
alone, however many companies there are.
"""

from typing import Final

from stdnum.cn import uscc

# Market administration (9), enterprise (1), Shenzhen (440300); MA5 is the local series.
PREFIX: Final = "91440300MA5"
ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SERIAL_DIGITS: Final = 6
SERIALS: Final = len(ALPHABET) ** SERIAL_DIGITS

# Any factor that shares no divisor with 31 visits every serial once; these spread neighbours far apart.
_STRIDE: Final = 387_420_489
_STRIDE_INVERSE: Final = pow(_STRIDE, -1, SERIALS)
_OFFSET_PER_SEED: Final = 104_729


def code_of(seed: int, index: int) -> str:
    """Return the USCC of the company with this index, ``0 <= index < SERIALS``."""
    assert 0 <= index < SERIALS, index
    serial = (index * _STRIDE + seed * _OFFSET_PER_SEED) % SERIALS
    body = PREFIX + _digits(serial)
    return body + str(uscc.calc_check_digit(body))


def index_of(seed: int, code: str) -> int | None:
    """Return the index behind a USCC, or None when no company of this seed can have it."""
    if not uscc.is_valid(code) or not code.startswith(PREFIX):
        return None
    serial = 0
    for character in code[len(PREFIX) : -1]:
        serial = serial * len(ALPHABET) + ALPHABET.index(character)
    return (serial - seed * _OFFSET_PER_SEED) * _STRIDE_INVERSE % SERIALS


def _digits(serial: int) -> str:
    characters = []
    for _ in range(SERIAL_DIGITS):
        serial, remainder = divmod(serial, len(ALPHABET))
        characters.append(ALPHABET[remainder])
    return "".join(reversed(characters))
