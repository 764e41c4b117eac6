"""How the page writes amounts and shares, and how long its bars are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.page import amounts


@pytest.mark.parametrize(
    ("fen", "chinese", "english"),
    [
        (0, "0.00 元", "CNY 0.00"),
        (1, "0.01 元", "CNY 0.01"),
        (99, "0.99 元", "CNY 0.99"),
        (994_999, "9,949.99 元", "CNY 9,949.99"),
        (999_999, "1.00 万元", "CNY 9,999.99"),
        (1_000_000, "1.00 万元", "CNY 10,000.00"),
        (12_345_678, "12.35 万元", "CNY 123,456.78"),
        (9_999_999_999, "1.00 亿元", "CNY 100.00 million"),
        (35_164_996_091, "3.52 亿元", "CNY 351.65 million"),
        (99_999_999_999, "10.00 亿元", "CNY 1.00 billion"),
        (450_000_000_000, "45.00 亿元", "CNY 4.50 billion"),
        (1_234_567_800_000_000, "123,456.78 亿元", "CNY 12,345.68 billion"),
        (-35_164_996_091, "−3.52 亿元", "CNY −351.65 million"),
    ],
)
def test_amounts_are_written_in_the_units_of_the_language(fen: int, chinese: str, english: str) -> None:
    assert (amounts.rounded(fen, "zh-CN"), amounts.rounded(fen, "en")) == (chinese, english)


def test_the_exact_amount_is_given_to_the_fen() -> None:
    assert amounts.exact(35_164_996_091, "zh-CN") == "351,649,960.91 元"
    assert amounts.exact(-5, "en") == "CNY −0.05"


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        (0, 5, "0.0%"),
        (1, 10**12, "<0.1%"),
        (113, 1000, "11.3%"),
        (10**12 - 1, 10**12, "99.9%"),
        (7, 7, "100.0%"),
        (1, 0, "–"),
        (-50, 100, "−50.0%"),
    ],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part: int, whole: int, share: str) -> None:
    assert amounts.percent(part, whole) == share


@given(st.lists(st.integers(0, 10**15), min_size=4, max_size=4).filter(any))
def test_the_parts_of_a_bar_fill_it_and_each_can_be_seen(parts: list[int]) -> None:
    bars = amounts.stacked(parts, sum(parts))
    assert [length > 0 for _, length in bars] == [part > 0 for part in parts]
    assert [start for start, _ in bars] == pytest.approx([sum(length for _, length in bars[:n]) for n in range(4)])
    assert sum(length for _, length in bars) == pytest.approx(100)
