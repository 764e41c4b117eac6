"""Money: whole fen, rates rounded down, yuan only for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.common import Text
from contracts.money import share, yuan

AMOUNTS = st.integers(min_value=0, max_value=10**14)
RATES = st.integers(min_value=0, max_value=10_000)


@pytest.mark.parametrize(
    ("amount", "rate", "part"),
    [(100_000_000, 6000, 60_000_000), (1, 6000, 0), (99, 5000, 49), (12_345_679, 3333, 4_114_814), (7, 10_000, 7)],
)
def test_a_share_is_rounded_down_to_the_fen(amount: int, rate: int, part: int) -> None:
    assert share(amount, rate) == part


@given(AMOUNTS, RATES)
def test_a_share_is_never_more_than_its_rate(amount: int, rate: int) -> None:
    assert share(amount, rate) * 10_000 <= amount * rate < (share(amount, rate) + 1) * 10_000


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (123_456_789, "1,234,567.89"), (-250, "-2.50"), (-5, "-0.05")]
)
def test_yuan_are_written_for_people(fen: int, text: str) -> None:
    assert yuan(fen) == text


@pytest.mark.parametrize(
    ("language", "said"), [("zh-CN", "是"), ("zh", "是"), ("ZH-tw", "是"), ("en", "yes"), ("fr", "yes")]
)
def test_a_text_speaks_the_readers_language(language: str, said: str) -> None:
    assert Text(zh="是", en="yes").in_language(language) == said
