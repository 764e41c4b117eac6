"""What the tables share: their metadata, the columns and CHECKs of books, moments, the columns of a clock."""

from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Integer

from kit.tables import new_metadata, privacy_audit

metadata: Final = new_metadata()

erasures: Final = privacy_audit(metadata)

_BOOKS: Final = ("appropriated", "available", "committed", "obligated", "disbursed")


def books() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in _BOOKS]


def balanced() -> list[CheckConstraint]:
    return [
        CheckConstraint("available >= 0 AND committed >= 0 AND obligated >= 0 AND disbursed >= 0", "not_negative"),
        CheckConstraint("appropriated = available + committed + obligated + disbursed", "balanced"),
    ]


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def fen(name: str) -> Column[int]:
    """An amount that begins at nothing."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def clock() -> list[Column[Any]]:
    """When what a row waits for is due, when something follows, when it was missed, how often was asked (``waits``)."""
    return [
        moment("due_at", nullable=True),
        moment("next_step_at", nullable=True),
        moment("missed_at", nullable=True),
        Column("questions", Integer, nullable=False, server_default="0"),
    ]
