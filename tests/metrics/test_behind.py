"""How late a group is, by what is seen of it: in seconds, right to the time between two looks."""

import pytest

from metrics.rules.behind import Behind

PLACE = "a group on a partition"


def test_who_has_reached_the_end_is_not_late() -> None:
    behind: Behind[str] = Behind()
    assert [behind.seconds(PLACE, end, end, now) for now, end in ((0.0, 0), (15.0, 10), (30.0, 10))] == [0, 0, 0]


def test_who_stands_still_is_as_late_as_the_first_event_that_waits() -> None:
    behind: Behind[str] = Behind()
    behind.seconds(PLACE, 10, 10, 0.0)
    assert [behind.seconds(PLACE, 10, end, now) for now, end in ((15.0, 11), (30.0, 11), (45.0, 90))] == [0, 15, 30]


def test_who_gets_on_is_as_late_as_what_it_has_not_reached() -> None:
    behind: Behind[str] = Behind()
    looks = ((0.0, 0, 100), (15.0, 50, 200), (30.0, 100, 300), (45.0, 250, 300), (60.0, 300, 300))
    assert [behind.seconds(PLACE, committed, end, now) for now, committed, end in looks] == [0, 15, 15, 15, 0]


def test_each_group_has_its_own_lag() -> None:
    behind: Behind[str] = Behind()
    for now in (0.0, 60.0):
        late, on_time = behind.seconds("late", 0, 5, now), behind.seconds("on time", 5, 5, now)
    assert (late, on_time) == (60, 0)


@pytest.mark.parametrize("looks", [1_500, 5_000])
def test_a_long_outage_is_remembered_in_little_space(looks: int) -> None:
    behind: Behind[str] = Behind()
    seconds = [behind.seconds(PLACE, 0, number + 1, float(number)) for number in range(looks)]
    assert seconds[-1] == looks - 1
    assert len(behind._marks[PLACE]) <= 1_000
    half = behind.seconds(PLACE, looks // 2, looks, float(looks))
    assert half == pytest.approx(looks / 2, abs=looks / 100)
