"""What the template draws: tables, bars and columns with their lengths. Amounts in fen, lengths in percent."""

from collections.abc import Sequence

import msgspec


class State(msgspec.Struct, frozen=True):
    """A part of a pool's money: fen, its share in words, and where it lies on the bar (percent)."""

    name: str
    amount: int
    share: str
    start: float
    length: float


class PoolView(msgspec.Struct, frozen=True):
    pool: str
    name: str
    appropriated: int
    drawn: int
    ratio: str
    states: Sequence[State]
    says: str
    doubtful: bool


class Row(msgspec.Struct, frozen=True):
    """A line of a table: what was drawn and paid, in fen, and how long its bars are, in percent."""

    name: str
    drawn: int
    paid: int
    drawn_length: float
    paid_length: float


class Table(msgspec.Struct, frozen=True):
    """A pool's schemes, districts or months; the rows add up to ``drawn`` and ``paid``."""

    pool: str
    name: str
    rows: Sequence[Row]
    drawn: int
    paid: int


class Column(msgspec.Struct, frozen=True):
    """A month's column in a chart, in percent of its width and height."""

    label: str
    year: str
    says: str
    start: float
    width: float
    top: float
    height: float


class Chart(msgspec.Struct, frozen=True):
    columns: Sequence[Column]
    most: int
    says: str
    is_cut: bool


class Step(msgspec.Struct, frozen=True):
    """A step of the funnel or a target: its count in words, beside what, and how long its bar is."""

    name: str
    value: str
    note: str
    length: float
