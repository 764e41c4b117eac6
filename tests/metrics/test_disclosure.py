"""Which sums of districts and months are shown by themselves: enough companies behind each, and behind what is left."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.rules.disclosure import LEAST_COMPANIES, REST, Behind, Cell, Disclosed, disclose


def behind(companies: set[int]) -> Behind:
    """As the database tells it: the companies by name only where they are few."""
    named = frozenset(UUID(int=each) for each in companies)
    return Behind(len(named), named if len(named) < LEAST_COMPANIES else frozenset())


def cell(key: str, paid_to: set[int], *, promised_to: set[int] | None = None) -> Cell:
    promised = paid_to if promised_to is None else promised_to
    return Cell(key, 1_000 * len(promised), 10 * len(paid_to), behind(promised), behind(paid_to))


def keys(found: Disclosed) -> list[str]:
    return [each.key for each in found.cells]


MANY = set(range(100, 100 + LEAST_COMPANIES))
LARGER = set(range(200, 220))


def test_the_threshold_is_five_companies() -> None:
    assert LEAST_COMPANIES == 5  # docs/how-to/show-the-status-page.md says so
    assert keys(disclose([cell("a", MANY), cell("b", LARGER)])) == ["a", "b"]
    assert keys(disclose([cell("a", MANY - {100}), cell("b", LARGER), cell("c", LARGER)])) == ["c", REST]


def test_several_small_ones_are_enough_for_each_other() -> None:
    found = disclose([cell("a", {1, 2}), cell("b", {3, 4, 5}), cell("c", MANY)])
    assert (keys(found), found.withheld) == (["c", REST], 2)


def test_the_same_companies_in_two_months_are_not_twice_as_many() -> None:
    found = disclose([cell("2026-03", {1, 2, 3}), cell("2026-04", {1, 2, 3}), cell("2026-05", MANY)])
    assert (keys(found), found.withheld) == ([REST], 3)


def test_one_small_one_takes_the_smallest_of_the_others_with_it() -> None:
    found = disclose([cell("a", {1}), cell("b", LARGER), cell("c", MANY), cell("d", LARGER)])
    assert (keys(found), found.withheld) == (["b", "d", REST], 2)


def test_few_who_were_paid_hide_what_many_were_promised() -> None:
    found = disclose([cell("a", {1}, promised_to=LARGER), cell("b", LARGER), cell("c", LARGER)])
    assert keys(found) == ["c", REST]


def test_where_nothing_was_paid_yet_nobody_is_given_away() -> None:
    assert keys(disclose([cell("a", set(), promised_to=LARGER), cell("b", LARGER)])) == ["a", "b"]


def test_a_sum_that_nobody_is_known_to_be_behind_is_not_shown() -> None:
    unknown = Cell("a", 500, 500)  # a projection of before, until it is rebuilt
    assert keys(disclose([unknown, cell("b", LARGER)])) == [REST]


def test_money_that_came_and_went_still_has_somebody_behind_it() -> None:
    back = Cell("a", 0, 0, behind({1}), behind({1}))
    assert keys(disclose([back, cell("b", LARGER), cell("c", LARGER)])) == ["c", REST]


def test_nothing_gives_nothing() -> None:
    assert disclose([]) == Disclosed([], 0)


companies = st.sets(st.integers(1, 14), max_size=9)
amounts = st.integers(-(10**12), 10**15)


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[Cell], dict[str, tuple[set[int], set[int]]]]:
    """A pool's cells, and who is behind each: those who were promised something, and those of them who were paid."""
    drawn = draw(st.lists(st.tuples(companies, companies), max_size=7))
    who = {f"k{place}": (promised | paid, paid) for place, (promised, paid) in enumerate(drawn)}
    cells = [
        Cell(key, draw(amounts) if promised else 0, draw(amounts) if paid else 0, behind(promised), behind(paid))
        for key, (promised, paid) in who.items()
    ]
    return cells, who


@given(pools())
def test_all_sums_add_up_and_no_few_are_behind_any(
    pool: tuple[list[Cell], dict[str, tuple[set[int], set[int]]]],
) -> None:
    cells, who = pool
    found = disclose(cells)

    assert sum(each.promised for each in found.cells) == sum(each.promised for each in cells)
    assert sum(each.disbursed for each in found.cells) == sum(each.disbursed for each in cells)

    shown = {each.key for each in found.cells} - {REST}
    hidden = who.keys() - shown
    assert found.withheld == len(hidden)
    # Where nothing is shown by itself, the rest is what is public of the whole pool.
    groups = [[key] for key in shown] + ([sorted(hidden)] if hidden and shown else [])
    for group in groups:
        for kind in (0, 1):
            together = set().union(*(who[key][kind] for key in group))
            assert not together or len(together) >= LEAST_COMPANIES, group


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_what_is_read_changes_nothing(order: int) -> None:
    cells = [cell("a", {1}), cell("b", MANY), cell("c", LARGER), cell("d", LARGER)]
    assert disclose(cells[::order]) == disclose(cells)
