"""Disbursement's rules as tables of cases; every amount is in fen."""

from datetime import UTC, datetime

import pytest

from disbursement import rules
from disbursement.records import Books


@pytest.mark.parametrize(
    ("approved", "cap_left", "envelope_left", "pool_left", "expected"),
    [
        (100, None, None, 1000, (100, "approved")),
        (100, 100, 100, 100, (100, "approved")),
        (100, 40, 50, 60, (40, "cap")),
        (100, 60, 40, 50, (40, "envelope")),
        (100, 60, 50, 40, (40, "pool")),
        (100, 50, 50, 50, (50, "cap")),
        (100, -5, 50, 50, (0, "cap")),
        (100, None, 0, 0, (0, "envelope")),
    ],
)
def test_the_least_limit_bites_and_is_named(
    approved: int, cap_left: int | None, envelope_left: int | None, pool_left: int, expected: tuple[int, str]
) -> None:
    found = rules.award_amount(
        approved, cap_left=cap_left, stack_left=None, envelope_left=envelope_left, pool_left=pool_left
    )

    assert found == expected


@pytest.mark.parametrize(
    ("eligible", "rate", "rest", "expected"),
    [
        (1000, 6000, 9999, (600, "rate")),
        (1001, 6000, 9999, (600, "rate")),
        (1000, 6000, 600, (600, "rate")),
        (1000, 6000, 599, (599, "rest")),
        (1, 6000, 599, (0, "rate")),
    ],
)
def test_a_claim_pays_the_least_of_rate_and_rest(
    eligible: int, rate: int, rest: int, expected: tuple[int, str]
) -> None:
    assert rules.payable_amount(eligible, rate, rest) == expected


@pytest.mark.parametrize(("source", "target"), sorted(move for move in rules.MOVES if "appropriated" not in move))
def test_a_move_takes_from_one_state_and_gives_to_another(source: str, target: str) -> None:
    books = Books(appropriated=40, available=10, committed=10, obligated=10, disbursed=10)

    rules.move(books, source, target, 10)

    assert (getattr(books, source), getattr(books, target)) == (0, 20)
    assert books.balanced()


@pytest.mark.parametrize(
    ("source", "target", "amount", "says"),
    [
        ("available", "disbursed", 1, "no move"),
        ("disbursed", "obligated", 1, "no move"),
        ("available", "committed", 0, "at least one fen"),
        ("available", "committed", -1, "at least one fen"),
        ("available", "committed", 11, "would fall to -1"),
    ],
)
def test_a_move_that_must_not_be_changes_nothing(source: str, target: str, amount: int, says: str) -> None:
    books = Books(appropriated=10, available=10)

    with pytest.raises(rules.LedgerError, match=says):
        rules.move(books, source, target, amount)
    assert books == Books(appropriated=10, available=10)


@pytest.mark.parametrize(
    ("moment", "year"),
    [
        (datetime(2026, 12, 31, 15, 59, tzinfo=UTC), 2026),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), 2027),
    ],
)
def test_the_fiscal_year_begins_at_midnight_in_shenzhen(moment: datetime, year: int) -> None:
    assert rules.fiscal_year(moment, "Asia/Shanghai") == year


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2026, 12, 5, tzinfo=UTC), 12, datetime(2027, 12, 5, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), 12, datetime(2025, 2, 28, tzinfo=UTC)),
        (datetime(2026, 6, 30, tzinfo=UTC), 18, datetime(2027, 12, 30, tzinfo=UTC)),
    ],
)
def test_months_later_is_the_same_day_or_the_last_one(start: datetime, months: int, end: datetime) -> None:
    assert rules.months_later(start, months) == end
