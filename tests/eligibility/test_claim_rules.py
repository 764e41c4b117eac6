"""Claims: which invoices count, and for how much."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from contracts.common import Invoice, Request, Usage
from contracts.money import LARGEST_EXACT_INTEGER, Money
from contracts.policy import ClaimRules
from eligibility import claim_rules
from eligibility.claim_rules import Support, Verification, months_later, support
from tests.eligibility.scenes import FEN, NOW, POLICY, PROVIDER, application, claim, invoice

APPLICATION = application()
SUPPORT = support(POLICY, APPLICATION, NOW)


def under(**rules: Any) -> Support:
    """The support of the scenes under other claim rules."""
    policy = msgspec.structs.replace(POLICY, claims=msgspec.structs.replace(POLICY.claims, **rules))
    return support(policy, APPLICATION, NOW)


def verify(*invoices: Invoice, supported: Support | None = SUPPORT, taken: Any = (), **changes: Any) -> Verification:
    return claim_rules.verify(claim(APPLICATION, *invoices, **changes), supported, frozenset(taken))


def faults(result: Verification) -> list[str]:
    return [reason.code for reason in result.reasons if reason.outcome == "not_met"]


def test_invoices_count_without_their_tax() -> None:
    result = verify(invoice("1", yuan=1000, tax_yuan=60), invoice("2", yuan=500, tax_yuan=0))
    assert result.verified
    assert result.eligible == Money(1440 * FEN)
    assert faults(result) == []
    assert set(result.counted) == {(PROVIDER, "1"), (PROVIDER, "2")}


def test_tax_counts_where_the_policy_says_so() -> None:
    assert verify(invoice(yuan=1000), supported=under(deduct_tax=False)).eligible == Money(1000 * FEN)


TAKEN_OFF = [
    ("issued before the contract", {"issued_on": date(2026, 1, 31)}, "invoice-within-period"),
    ("issued after it", {"issued_on": date(2027, 1, 1)}, "invoice-within-period"),
    ("from another seller", {"seller": "91440300MA5KKKKK3C"}, "invoice-from-provider"),
    ("with more tax than amount", {"tax": Money(10_000 * FEN)}, "invoice-tax-plausible"),
]


@pytest.mark.parametrize(("what", "changes", "code"), TAKEN_OFF, ids=[case[0] for case in TAKEN_OFF])
def test_an_invoice_that_does_not_count_is_taken_off(what: str, changes: dict[str, Any], code: str) -> None:
    good, bad = invoice("1"), invoice("2", **changes)
    result = verify(good, bad)
    assert result.verified
    assert result.eligible == Money(940 * FEN)
    assert faults(result) == [code]
    assert result.counted == ((PROVIDER, "1"),)
    alone = verify(bad)
    assert not alone.verified
    assert faults(alone) == [code, "eligible-amount"]
    assert alone.counted == ()


@pytest.mark.parametrize("day", [date(2026, 2, 1), date(2026, 12, 31)])
def test_the_first_and_the_last_day_of_the_contract_count(day: date) -> None:
    assert verify(invoice(issued_on=day)).verified


def test_any_seller_counts_where_the_policy_says_so() -> None:
    assert verify(invoice(seller="91440300MA5KKKKK3C"), supported=under(seller_is_provider=False)).verified


@pytest.mark.parametrize(
    ("usage", "code"),
    [
        (None, "usage-stated"),
        (Usage(date(2026, 1, 31), date(2026, 2, 28)), "usage-within-period"),
        (Usage(date(2026, 12, 1), date(2027, 1, 1)), "usage-within-period"),
        (Usage(date(2026, 3, 2), date(2026, 3, 1)), "usage-within-period"),
    ],
)
def test_usage_outside_of_the_contract_rejects(usage: Usage | None, code: str) -> None:
    result = verify(invoice(), usage=usage)
    assert not result.verified
    assert faults(result) == [code]
    assert result.eligible == Money(0)
    assert verify(invoice(), usage=usage, supported=under(usage_required=False)).verified


def test_an_invoice_that_counted_before_rejects_the_whole_claim() -> None:
    result = verify(invoice("1"), invoice("2"), taken={(PROVIDER, "2")})
    assert not result.verified
    assert faults(result) == ["invoice_already_claimed"]
    assert result.counted == ()


def test_an_invoice_twice_in_a_claim_rejects_it() -> None:
    assert faults(verify(invoice("1"), invoice("1"))) == ["invoice-repeated"]


def test_the_same_number_of_another_seller_is_another_invoice() -> None:
    assert verify(invoice("1"), taken={("91440300MA5KKKKK3C", "1")}).verified


def test_without_an_approved_application_it_is_rejected() -> None:
    assert faults(verify(invoice(), supported=None)) == ["application-approved"]


def test_without_invoices_it_is_rejected() -> None:
    assert faults(verify()) == ["eligible-amount"]


def test_a_sum_that_other_readers_could_not_hold_is_rejected() -> None:
    huge: dict[str, Any] = {"money": Money(LARGEST_EXACT_INTEGER), "tax": Money(0)}
    assert faults(verify(invoice("1", **huge), invoice("2", **huge))) == ["eligible-amount"]


def test_without_a_contract_the_award_period_counts() -> None:
    bare = application(request=Request(money=Money(100)))
    rules = ClaimRules(seller_is_provider=False)
    policy = msgspec.structs.replace(POLICY, claims=rules)
    late_on_may_31 = datetime(2026, 5, 31, 16, tzinfo=UTC)  # 1 June in Shenzhen
    period = support(policy, bare, late_on_may_31)
    assert (period.first_day, period.last_day) == (date(2026, 6, 1), date(2027, 6, 1))


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 15), 12, date(2028, 12, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
    ],
)
def test_months_later(day: date, months: int, later: date) -> None:
    assert months_later(day, months) == later
