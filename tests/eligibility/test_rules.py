"""Applications: facts and a time in, a decision and its reasons out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from contracts.common import Request
from contracts.money import Money
from eligibility import rules
from eligibility.rules import Decision
from tests.eligibility.scenes import APPLICANT, FACTS, FEN, NOW, PROVIDER, application, contract, rulebook


def decide(of: Any = None, facts: Any = None, **policy: Any) -> Decision:
    return rules.decide(rulebook(**policy), of or application(), FACTS if facts is None else facts, NOW)


def outcomes(decision: Decision) -> dict[str, str]:
    return {reason.code: reason.outcome for reason in decision.reasons if reason.outcome != "met"}


def test_an_application_that_meets_everything_is_approved_at_the_rate() -> None:
    decision = decide(application(yuan=500_000))
    assert decision.outcome == "approved"
    assert decision.approved == Money(300_000 * FEN)
    assert decision.cap_holder == APPLICANT
    assert outcomes(decision) == {}
    assert {reason.code for reason in decision.reasons} >= {"registered", "credit-record", "window-open"}


@pytest.mark.parametrize(
    ("asked_fen", "approved_fen"),
    [(5, 3), (4, 2), (2, 1), (166666667 * 10, 1_000_000_002), (1_666_666_666, 999_999_999)],
)
def test_the_share_is_rounded_down_and_the_cap_left_to_the_ledger(asked_fen: int, approved_fen: int) -> None:
    request = Request(money=Money(asked_fen), contract=contract(money=Money(asked_fen)))
    decision = decide(application(request=request))
    assert decision.approved == Money(approved_fen)


REJECTIONS: list[tuple[dict[str, dict[str, Any]], str]] = [
    ({"business_registration": {"found": False}}, "registered"),
    ({"business_registration": {"found": True, "status": "dissolved"}}, "in-operation"),
    ({"credit_record": {"blacklisted": True}}, "credit-record"),
    ({"provider": {"listed": False, "services": []}}, "provider-listed"),
    ({"provider": {"listed": True, "services": ["corpora"]}}, "provider-listed"),
    ({"related_companies": {"group": APPLICANT, "members": [APPLICANT, PROVIDER]}}, "provider-unrelated"),
]


@pytest.mark.parametrize(("changed", "code"), REJECTIONS)
def test_one_criterion_that_is_not_met_rejects(changed: dict[str, Any], code: str) -> None:
    decision = decide(facts=FACTS | changed)
    assert decision.outcome == "rejected"
    assert outcomes(decision) == {code: "not_met"}
    assert decision.approved is None
    [reason] = [reason for reason in decision.reasons if reason.code == code]
    assert all((reason.text.zh, reason.text.en, reason.clause))


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (datetime(2025, 12, 31, 15, 59, 59, tzinfo=UTC), "window-open"),
        (datetime(2027, 12, 31, 16, 0, 0, tzinfo=UTC), "window-open"),
    ],
)
def test_outside_of_the_window_is_rejected(at: datetime, code: str) -> None:
    decision = decide(application(submitted_at=at))
    assert decision.outcome == "rejected"
    assert outcomes(decision)[code] == "not_met"


def test_the_window_is_open_to_its_last_moment() -> None:
    last = datetime(2027, 12, 31, 16, tzinfo=UTC) - timedelta(microseconds=1)
    assert decide(application(submitted_at=last)).outcome == "approved"
    assert decide(application(submitted_at=datetime(2025, 12, 31, 16, tzinfo=UTC))).outcome == "approved"


def test_a_district_that_is_not_listed_is_rejected() -> None:
    assert outcomes(decide(application(district="dongguan"))) == {"district-listed": "not_met"}


def test_more_than_the_contract_is_rejected() -> None:
    small = Request(money=Money(101), contract=contract(money=Money(100)))
    assert outcomes(decide(application(request=small))) == {"within-contract": "not_met"}


def test_without_a_contract_it_is_rejected_not_left_waiting() -> None:
    decision = decide(application(request=Request(money=Money(100))), facts={**FACTS, "provider": {"listed": False}})
    assert decision.outcome == "rejected"
    assert outcomes(decision)["contract-given"] == "not_met"


def test_less_than_one_fen_is_rejected() -> None:
    tiny = Request(money=Money(1), contract=contract())
    assert outcomes(decide(application(request=tiny))) == {"amount-payable": "not_met"}


@pytest.mark.parametrize("missing", sorted(FACTS))
def test_without_a_fact_it_is_undecided(missing: str) -> None:
    decision = decide(facts={name: fact for name, fact in FACTS.items() if name != missing})
    assert decision.outcome == "undecided"
    assert decision.approved is None
    assert set(outcomes(decision).values()) == {"unknown"}


def test_without_any_fact_it_is_undecided() -> None:
    assert decide(facts={}).outcome == "undecided"


def test_a_known_fault_rejects_whatever_is_still_unknown() -> None:
    decision = decide(facts={"credit_record": {"blacklisted": True}})
    assert decision.outcome == "rejected"
    assert outcomes(decision)["credit-record"] == "not_met"
    assert outcomes(decision)["registered"] == "unknown"


def test_an_answer_without_the_field_leaves_it_undecided() -> None:
    decision = decide(facts=FACTS | {"credit_record": {"unexpected": 1}})
    assert decision.outcome == "undecided"
    assert outcomes(decision) == {"credit-record": "unknown"}


def test_a_contract_counts_for_its_holder_only() -> None:
    mine = application()
    supported = FACTS | {rules.CONTRACT_SUPPORT: {"held_by": str(mine.application_id)}}
    assert decide(mine, supported).outcome == "approved"
    other = decide(application(), supported)
    assert other.outcome == "rejected"
    assert outcomes(other) == {"contract-already-supported": "not_met"}


def test_the_same_inputs_give_the_same_decision() -> None:
    one = application(submitted_at=NOW - timedelta(days=1))
    again = msgspec.json.decode(msgspec.json.encode(one), type=type(one))
    facts = msgspec.json.decode(msgspec.json.encode(FACTS))
    assert rules.decide(rulebook(), one, FACTS, NOW) == rules.decide(rulebook(), again, facts, NOW)


def test_the_cap_group_is_always_asked_for() -> None:
    assert rules.facts_needed(rulebook(criteria=()).policy) == {"related_companies"}
    assert decide(facts={}, criteria=()).outcome == "undecided"


def test_odd_numbers_in_the_details_reach_no_decision_by_accident() -> None:
    request = Request(money=Money(100), contract=contract(), details={"big": 10**40, "deep": {"x": [None, 1.5]}})
    assert decide(application(request=request)).outcome == "approved"
