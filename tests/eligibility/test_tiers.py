"""Tiers: the first that holds gives the rate and the most; one that can't be judged is waited for."""

from datetime import date
from typing import Any

import msgspec
import pytest

from contracts.common import Text
from contracts.money import Money
from contracts.policy import Tier
from eligibility import rules
from eligibility.rules import Decision
from tests.eligibility.scenes import FACTS, FEN, NOW, application, company, rulebook

TEXT = Text("档次", "A level")
YOUNG = "timestamp(submitted_on + 'T00:00:00Z') - timestamp(company.registered_on + 'T00:00:00Z') < duration('8784h')"
TIERS = (
    Tier(id="young", clause="2.1", when=YOUNG, rate=6000, text=TEXT),
    Tier(
        id="known",
        clause="2.2",
        when="business_registration.found",
        facts=("business_registration",),
        rate=5000,
        most=Money(100_000 * FEN),
        text=TEXT,
    ),
)


def decide(of: Any = None, facts: Any = None, **policy: Any) -> Decision:
    book = rulebook(**{"tiers": TIERS, **policy})
    return rules.decide(book, of or application(yuan=1_000_000), FACTS if facts is None else facts, NOW)


def young() -> Any:
    plain = application(yuan=1_000_000)
    return msgspec.structs.replace(plain, company=company(registered_on=date(2026, 1, 5)))


def tier(decision: Decision) -> tuple[str, str]:
    [found] = [reason for reason in decision.reasons if reason.code == "tier"]
    return found.outcome, found.clause


def test_the_first_tier_that_holds_gives_the_rate() -> None:
    decision = decide(young())
    assert (decision.outcome, decision.approved, decision.rate) == ("approved", Money(600_000 * FEN), 6000)
    assert tier(decision) == ("met", "2.1")


def test_another_tier_has_another_rate_and_a_most_of_its_own() -> None:
    decision = decide()
    assert (decision.outcome, decision.approved, decision.rate) == ("approved", Money(100_000 * FEN), 5000)
    assert tier(decision) == ("met", "2.2")


@pytest.mark.parametrize(("most", "approved"), [(50_000, 50_000), (200_000, 100_000)])
def test_the_least_of_the_policys_and_the_tiers_most_counts(most: int, approved: int) -> None:
    assert decide(most=Money(most * FEN)).approved == Money(approved * FEN)


def test_the_policys_most_holds_without_tiers() -> None:
    assert decide(tiers=(), most=Money(7)).approved == Money(7)


def test_a_tier_that_can_not_be_judged_is_waited_for() -> None:
    facts = {name: fact for name, fact in FACTS.items() if name != "business_registration"}
    decision = decide(facts=facts, criteria=())
    assert decision.outcome == "undecided"
    assert tier(decision)[0] == "unknown"


def test_no_tier_rejects() -> None:
    decision = decide(facts=FACTS | {"business_registration": {"found": False}}, criteria=())
    assert decision.outcome == "rejected"
    assert tier(decision) == ("not_met", "tiers")


def test_a_tiers_facts_are_asked_for() -> None:
    assert "business_registration" in rules.facts_needed(rulebook(tiers=TIERS, criteria=()).policy)
