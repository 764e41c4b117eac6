"""Milestones, parts, months and called sums: each counts once, however often and in whatever batch it is claimed."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.common import Request, Text, Usage
from contracts.money import Money
from contracts.policy import ClaimRules, Part
from eligibility import claim_rules
from eligibility.claim_rules import Support, Verification
from tests.eligibility.scenes import FEN, POLICY, application, claim, invoice

TEXT = Text("项目", "A part")
RENT = Part(id="rent", money=Money(3_000 * FEN), monthly=True, times=3, text=TEXT)
START = Part(id="start", money=Money(50_000 * FEN), text=TEXT)
STATED = [{"id": "m1", "money": {"amount": 700, "currency": "CNY"}}, {"id": "m2", "money": {"amount": 300}}, {"id": 3}]


def supported(basis: Any, parts: tuple[Part, ...] = ()) -> Support:
    rules = ClaimRules(basis=basis, parts=parts, seller_is_provider=False)
    policy = msgspec.structs.replace(POLICY, claims=rules, contract="none")
    asked = application(request=Request(money=Money(1_000), details={"milestones": STATED}))
    return Support(policy, asked, date(2026, 2, 10), date(2027, 2, 10))


def verify(by: Support, taken: Any = frozenset(), **changes: Any) -> Verification:
    plain: dict[str, Any] = {"usage": None}
    return claim_rules.verify(claim(by.application, **plain | changes), by, taken)


def not_met(result: Verification) -> set[str]:
    return {reason.code for reason in result.reasons if reason.outcome == "not_met"}


def month(number: int, until: int = 28) -> Usage:
    return Usage(date(2026, number, 1), date(2026, number, until))


def test_a_milestone_counts_for_its_sum_once() -> None:
    by = supported("milestones")
    first = verify(by, milestone="m1")
    assert (first.verified, first.eligible) == (True, Money(700))
    again = verify(by, frozenset(first.counted), milestone="m1")
    assert (again.verified, not_met(again)) == (False, {"item-not-claimed"})
    assert verify(by, frozenset(first.counted), milestone="m2").eligible == Money(300)


@pytest.mark.parametrize("name", [None, "m9", "3"])
def test_a_milestone_that_was_not_laid_down_is_refused(name: str | None) -> None:
    assert not_met(verify(supported("milestones"), milestone=name)) == {"milestone-known"}


def test_a_part_counts_once_and_a_monthly_one_each_month() -> None:
    by = supported("parts", (START, RENT))
    start, february, march = (
        verify(by, milestone="start"),
        verify(by, milestone="rent", usage=month(2)),
        verify(by, milestone="rent", usage=month(3)),
    )
    assert [one.eligible.amount for one in (start, february, march)] == [5_000_000, 300_000, 300_000]
    assert len({*start.counted, *february.counted, *march.counted}) == 3
    taken = frozenset(february.counted)
    assert not_met(verify(by, taken, milestone="rent", usage=month(2, 20))) == {"item-not-claimed"}
    assert verify(by, taken, milestone="rent", usage=month(3)).verified


def test_a_part_claimed_with_a_period_still_counts_once() -> None:
    by = supported("parts", (START,))
    first = verify(by, milestone="start", usage=month(2))
    assert not_met(verify(by, frozenset(first.counted), milestone="start", usage=month(3))) == {"item-not-claimed"}


@pytest.mark.parametrize(
    ("usage", "code"),
    [
        (None, "usage-one-month"),
        (Usage(date(2026, 2, 20), date(2026, 3, 2)), "usage-one-month"),
        (Usage(date(2026, 3, 20), date(2026, 3, 2)), "usage-one-month"),
        (month(1), "month-supported"),
        (month(5), "month-supported"),
    ],
)
def test_a_month_outside_of_the_support_is_refused(usage: Usage | None, code: str) -> None:
    assert not_met(verify(supported("parts", (RENT,)), milestone="rent", usage=usage)) == {code}


def test_a_month_that_has_not_begun_is_refused() -> None:
    by = supported("parts", (msgspec.structs.replace(RENT, times=12),))
    assert verify(by, milestone="rent", usage=month(6)).verified  # claimed on the first of June
    assert not_met(verify(by, milestone="rent", usage=month(7))) == {"month-supported"}


@pytest.mark.parametrize(
    "money", [None, {}, {"amount": 0}, {"amount": -5}, {"amount": "5"}, {"amount": 5, "currency": "USD"}]
)
def test_a_call_names_its_sum(money: Any) -> None:
    assert not_met(verify(supported("calls"), details={"money": money})) == {"sum-named"}
    assert verify(supported("calls"), details={"money": {"amount": 5}}).eligible == Money(5)


def test_an_invoice_that_comes_with_a_milestone_counts_in_no_other_claim() -> None:
    by = supported("milestones")
    bill = invoice("77")
    result = claim_rules.verify(claim(by.application, bill, milestone="m1"), by, frozenset())
    assert claim_rules.invoice_key(bill) in result.counted
    again = claim_rules.verify(claim(by.application, bill, milestone="m2"), by, frozenset(result.counted))
    assert not_met(again) == {"invoice_already_claimed"}


_NAMES = st.sampled_from(["start", "rent", "other", None])
_USAGES = st.sampled_from([None, month(2), month(3), month(4), month(5)])


@given(st.lists(st.tuples(_NAMES, _USAGES), max_size=30))
def test_whatever_is_claimed_nothing_counts_twice(claims: list[tuple[str | None, Usage | None]]) -> None:
    by = supported("parts", (START, RENT))
    taken: set[tuple[str, str]] = set()
    paid = 0
    for name, usage in claims:
        sent = claim(by.application, milestone=name, usage=usage, claim_id=uuid4())
        result = claim_rules.verify(sent, by, frozenset(taken))
        assert not taken & set(result.counted)
        assert set(result.counted) <= set(claim_rules.counted_keys(sent)), "it was not reserved"
        taken |= set(result.counted)
        paid += result.eligible.amount
    assert paid <= START.money.amount + RENT.times * RENT.money.amount


def test_monthly_support_is_for_residents_of_an_accredited_community() -> None:
    by = replace(supported("parts", (START, RENT)), resident=False)
    assert not_met(verify(by, milestone="rent", usage=month(2))) == {"resident"}
    assert verify(by, milestone="start").verified
    assert verify(replace(by, resident=True), milestone="rent", usage=month(2)).verified
