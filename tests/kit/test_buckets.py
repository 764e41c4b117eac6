"""Token buckets: what may be done at once, in the long run, by how many, and what is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.buckets import Buckets


def taken(buckets: Buckets, name: str, now: float, tries: int) -> int:
    return sum(buckets.take(name, now) == 0 for _ in range(tries))


def test_a_burst_at_once_then_the_rate_and_after_a_pause_a_burst_again() -> None:
    buckets = Buckets(rate=10, burst=5)
    assert taken(buckets, "a", 100.0, 20) == 5
    assert [taken(buckets, "a", 100.0 + tenths / 10 + 0.001, 20) for tenths in range(1, 6)] == [1] * 5
    assert taken(buckets, "a", 200.0, 20) == 5


def test_who_is_refused_is_told_when_to_come_back_and_then_let_in() -> None:
    buckets = Buckets(rate=4, burst=2)
    assert taken(buckets, "a", 0.0, 2) == 2
    wait = buckets.take("a", 0.0)
    assert wait == pytest.approx(0.25)
    assert buckets.wait("a", 0.0) == wait
    assert buckets.take("a", wait * 0.9) > 0
    assert buckets.take("a", wait) == 0


def test_one_name_takes_nothing_from_another() -> None:
    buckets = Buckets(rate=1, burst=3)
    assert taken(buckets, "a", 0.0, 9) == 3
    assert taken(buckets, "b", 0.0, 9) == 3


def test_what_is_charged_afterwards_is_owed_but_never_more_than_a_burst() -> None:
    buckets = Buckets(rate=10, burst=5)
    for _ in range(1000):
        buckets.charge("a", 0.0)
    assert buckets.wait("a", 0.0) == pytest.approx(0.5)
    assert buckets.take("a", 0.51) == 0


def test_the_memory_is_bounded_and_the_one_left_alone_the_longest_is_forgotten() -> None:
    buckets = Buckets(rate=1, burst=1, most_names=3)
    for name in ("a", "b", "c"):
        assert buckets.take(name, 0.0) == 0
    buckets.charge("a", 0.0)
    assert buckets.take("d", 0.0) == 0
    assert len(buckets) == 3
    assert buckets.wait("a", 0.0) > 0
    assert buckets.wait("b", 0.0) == 0


@given(
    rate=st.floats(0.5, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_run_of_calls_gets_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    """The bound that a token bucket has: between any two moments at most burst + rate x time, with the first one in."""
    buckets, now, let_in = Buckets(rate, burst), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if buckets.take("a", now) == 0:
            let_in.append(now)
    for first, since in enumerate(let_in):
        for last in range(first, len(let_in)):
            assert last - first + 1 <= burst + rate * (let_in[last] - since) + 1e-6
