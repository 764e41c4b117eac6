"""Each check holds on right books and fails, by name and with words, on books that are wrong in one place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.money import Money
from stack.checks import CHECKS, Check, verdict
from stack.checks.books import awards_add_up, ledger_replays, metrics_equal_ledger, pool_identity
from stack.checks.lives import (
    every_application_is_somewhere,
    every_claim_is_somewhere,
    nothing_unexpected_was_answered,
)
from stack.checks.payments import (
    bank_paid_what_the_ledger_says,
    every_return_is_decided,
    money_moved_once,
    one_instruction_per_payable_claim,
)
from stack.checks.reports import wrong_reports_are_listed
from stack.checks.result import Result
from stack.checks.views import intake_equals_owners
from stack.report import report
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import (
    AwardInApplication,
    ClaimInApplication,
    Discrepancy,
    OfficersView,
    PaymentInClaim,
)
from tests.simulators import books
from tests.simulators.books import AWARD, AWARDED, GIVEN_UP, GIVEN_UP_CLAIM, LIE, PAID, PAID_CLAIM, POOL


def test_all_checks_hold_on_right_books() -> None:
    assert [result for result in verdict(books.evidence(), books.told()) if not result.passed] == []


def transfer(number: int, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the transfers with one of them changed."""
    posted = books.transfers()
    posted[number - 1] |= changed
    return {POOL: posted}


def moves(*more: tuple[str, str, int, UUID]) -> dict[str, list[dict[str, Any]]]:
    """Return the transfers with more behind them, as far as they tell of payments."""
    told = [
        {"from": source, "to": target, "money": {"amount": amount}, "payment_id": str(payment_id)}
        for source, target, amount, payment_id in more
    ]
    return {POOL: books.transfers() + told}


def application(**changed: Any) -> dict[UUID, Any]:
    """Return the applications with the awarded one changed."""
    return books.evidence().applications | {AWARDED: msgspec.structs.replace(books.awarded_application(), **changed)}


def claim(claim_id: UUID, status: str, payment: PaymentInClaim | None) -> ClaimInApplication:
    return ClaimInApplication(claim_id, status, Money(200), payment)


def award(**changed: Any) -> AwardInApplication:
    return AwardInApplication(AWARD, "active", **books.award_moneys() | changed)


E = books.evidence
FIRST_ENTRY, PAID_ENTRY, GIVEN_UP_ENTRY = books.evidence().bank
PAID_PAYMENT, GIVEN_UP_PAYMENT = books.evidence().payments
ONE, TWO, AGAIN, CANCELLED = books.evidence().instructions
changed = msgspec.structs.replace

WRONG: list[tuple[str, Check, Evidence, str]] = [
    ("a fen is lost", pool_identity, E(pools=[books.pool(available=399)]), "the four make 9.99"),
    ("no pools", pool_identity, E(pools=[]), "no pool"),
    ("a transfer is gone", ledger_replays, E(transfers={POOL: books.transfers()[:-1]}), "replayed"),
    ("a middle transfer is gone", ledger_replays, E(transfers={POOL: books.transfers()[1:]}), "chain is broken"),
    ("an amount was changed", ledger_replays, E(transfers=transfer(3, money={"amount": 1})), "match the hash"),
    ("a version is skipped", ledger_replays, E(transfers=transfer(2, version=7)), "has version 7"),
    ("balances were changed", ledger_replays, E(transfers=transfer(2, balances={})), "carries {}"),
    ("an award is not in the pool", awards_add_up, E(awards=[]), "committed: 4.00, its awards hold 0.00"),
    ("a gauge is stale", metrics_equal_ledger, E(metrics_text=books.metrics_text(books.pool(committed=399))), "3.99"),
    ("a gauge is missing", metrics_equal_ledger, E(metrics_text=""), "/metrics shows nothing"),
    ("the list is stale", metrics_equal_ledger, E(metrics_pools=[books.pool(disbursed=0)]), "/v1/pools shows 0.00"),
    ("an application is lost", every_application_is_somewhere, E(applications={}), "not to be found"),
    ("one is stuck", every_application_is_somewhere, E(applications=application(status="approved")), "is approved"),
    ("a claim is lost", every_claim_is_somewhere, E(applications=application(claims=[])), "shown 0 times"),
    (
        "a claim is stuck",
        every_claim_is_somewhere,
        E(applications=application(claims=[claim(PAID_CLAIM, "verifying", None)])),
        "is verifying",
    ),
    (
        "a payment hangs",
        every_claim_is_somewhere,
        E(applications=application(claims=[claim(PAID_CLAIM, "payable", PaymentInClaim(PAID, "instructed"))])),
        "is payable",
    ),
    (
        "a return that nobody decided",
        every_claim_is_somewhere,
        E(applications=application(claims=[claim(PAID_CLAIM, "payable", PaymentInClaim(PAID, "returned"))])),
        "is payable",
    ),
    ("no instruction", one_instruction_per_payable_claim, E(instructions=[TWO]), "has no instruction"),
    (
        "a second instruction",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, AGAIN, books.instructed(uuid4(), PAID_CLAIM, 200)]),
        "has 2 instructions",
    ),
    (
        "an instruction for nothing",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, AGAIN, books.instructed(uuid4(), uuid4(), 200)]),
        "not payable",
    ),
    (
        "a name used twice",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, AGAIN, books.instructed(PAID, GIVEN_UP_CLAIM, 200, event_id="another event")]),
        "stands for 2 payments",
    ),
    (
        "an attempt is not instructed",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO]),
        "is at attempt 2, instructed were [1]",
    ),
    (
        "an attempt is instructed twice",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, AGAIN, books.instructed(PAID, PAID_CLAIM, 200, 2, event_id="another event")]),
        "instructed were [1, 2, 2]",
    ),
    (
        "another sum is instructed again",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, books.instructed(PAID, PAID_CLAIM, 201, 2)]),
        "was instructed with 2.01",
    ),
    (
        "paid twice",
        bank_paid_what_the_ledger_says,
        E(bank=[changed(FIRST_ENTRY, outcome="settled"), PAID_ENTRY, GIVEN_UP_ENTRY]),
        "paid 2 times",
    ),
    ("unknown to the bank", bank_paid_what_the_ledger_says, E(bank=[FIRST_ENTRY, PAID_ENTRY]), "unknown to the bank"),
    ("unknown to us", bank_paid_what_the_ledger_says, E(payments=[PAID_PAYMENT]), "disbursement does not"),
    (
        "an attempt that the bank never saw",
        bank_paid_what_the_ledger_says,
        E(bank=[PAID_ENTRY, GIVEN_UP_ENTRY]),
        "is at attempt 2, the bank saw [2]",
    ),
    (
        "given up and paid",
        bank_paid_what_the_ledger_says,
        E(bank=[FIRST_ENTRY, PAID_ENTRY, changed(GIVEN_UP_ENTRY, outcome="settled")]),
        "is cancelled, at the bank settled",
    ),
    (
        "settled and sent back",
        bank_paid_what_the_ledger_says,
        E(bank=[FIRST_ENTRY, changed(PAID_ENTRY, outcome="returned"), GIVEN_UP_ENTRY]),
        "is settled, at the bank returned",
    ),
    (
        "still under way",
        bank_paid_what_the_ledger_says,
        E(payments=[changed(PAID_PAYMENT, status="instructed"), GIVEN_UP_PAYMENT]),
        "is instructed, at the bank settled",
    ),
    (
        "another amount",
        bank_paid_what_the_ledger_says,
        E(bank=[changed(FIRST_ENTRY, amount=201), PAID_ENTRY, GIVEN_UP_ENTRY]),
        "at the bank 2.01",
    ),
    (
        "never reported",
        bank_paid_what_the_ledger_says,
        E(bank=[FIRST_ENTRY, changed(PAID_ENTRY, times_reported=0), GIVEN_UP_ENTRY]),
        "never reported",
    ),
    (
        "instructed again before the return was known",
        bank_paid_what_the_ledger_says,
        E(bank=[changed(FIRST_ENTRY, times_reported=0), PAID_ENTRY, GIVEN_UP_ENTRY]),
        "never reported",
    ),
    ("disbursed twice", money_moved_once, E(transfers=moves(("obligated", "disbursed", 200, PAID))), "is settled"),
    ("obligated twice", money_moved_once, E(transfers=moves(("committed", "obligated", 200, PAID))), "is settled"),
    (
        "given up and disbursed",
        money_moved_once,
        E(transfers=moves(("obligated", "disbursed", 100, GIVEN_UP))),
        "is cancelled",
    ),
    (
        "another sum is disbursed",
        money_moved_once,
        E(payments=[changed(PAID_PAYMENT, money=Money(199)), GIVEN_UP_PAYMENT]),
        "of 1.99 is settled",
    ),
    (
        "a payment moved nothing",
        money_moved_once,
        E(transfers={POOL: books.transfers()[:2]}),
        "is settled, moved were []",
    ),
    ("money moved for nobody", money_moved_once, E(payments=[PAID_PAYMENT]), "is not listed"),
    (
        "returned and left",
        every_return_is_decided,
        E(payments=[changed(PAID_PAYMENT, status="returned"), GIVEN_UP_PAYMENT]),
        "is returned (sent back)",
    ),
    (
        "held and left",
        every_return_is_decided,
        E(payments=[changed(PAID_PAYMENT, status="held", hold="release"), GIVEN_UP_PAYMENT]),
        "is held (release)",
    ),
    ("given up in silence", every_return_is_decided, E(instructions=[ONE, TWO, AGAIN]), "was told so 0 times"),
    (
        "told of nothing given up",
        every_return_is_decided,
        E(payments=[PAID_PAYMENT, changed(GIVEN_UP_PAYMENT, status="settled")]),
        "and it is not",
    ),
    (
        "given up and still payable",
        every_return_is_decided,
        E(applications=application(claims=[claim(GIVEN_UP_CLAIM, "payable", PaymentInClaim(GIVEN_UP, "cancelled"))])),
        "is not rejected",
    ),
    ("a wrong report is not listed", wrong_reports_are_listed, E(discrepancies=[]), "said wrongly settled"),
    (
        "a true report is listed",
        wrong_reports_are_listed,
        E(discrepancies=[Discrepancy(LIE), Discrepancy(PAID_ENTRY.reports[0].event_id, "no such payment")]),
        "is listed (no such payment)",
    ),
    (
        "finance has more to say",
        wrong_reports_are_listed,
        E(bank=[FIRST_ENTRY, changed(PAID_ENTRY, unsaid=1), GIVEN_UP_ENTRY]),
        "has 1 more reports",
    ),
    ("no decision", intake_equals_owners, E(applications=application(decision=None)), "shows decision None"),
    ("a refusal is unseen", intake_equals_owners, E(award_events=[]), "owners have approved"),
    ("an award too many", intake_equals_owners, E(awards=[]), "disbursement has None"),
    ("an award unseen", intake_equals_owners, E(applications=application(award=None)), "shows award None"),
    (
        "an award differs",
        intake_equals_owners,
        E(applications=application(award=award(paid=Money(199)))),
        "'paid': 199",
    ),
    ("a payment unseen", intake_equals_owners, E(applications=application(claims=[])), "shows payment None"),
    ("a payment differs", intake_equals_owners, E(payments=[PAID_PAYMENT]), "disbursement has None"),
]


@pytest.mark.parametrize(("check", "evidence", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_check_fails_with_words(check: Check, evidence: Evidence, words: str) -> None:
    found = check(evidence, books.told())
    assert any(words in difference for difference in found.differences), found


def test_a_withdrawal_that_was_taken_must_show() -> None:
    found = every_application_is_somewhere(books.evidence(), books.told(withdrawn={AWARDED}))
    assert "was withdrawn and is awarded" in found.differences[0]


def test_a_surprise_fails() -> None:
    assert not nothing_unexpected_was_answered(books.evidence(), books.told(surprises=["that"])).passed


def test_a_surprise_of_finances_officers_fails() -> None:
    surprised = books.evidence(officers=OfficersView(surprises=["that"]))
    assert not nothing_unexpected_was_answered(surprised, books.told()).passed


def test_a_return_that_was_none_may_be_believed_and_then_the_truth_is_listed() -> None:
    settled = books.doubted(changed(FIRST_ENTRY, outcome="settled"), "returned", uuid4())
    repeated = changed(PAID_ENTRY, outcome="repeated")
    truth = Discrepancy(settled.reports[0].event_id, "speaks of attempt 1, under way is 2")
    bank = [settled, repeated, GIVEN_UP_ENTRY]
    for listed in ([Discrepancy(LIE)], [Discrepancy(LIE), truth]):
        evidence = books.evidence(bank=bank, discrepancies=listed)
        assert wrong_reports_are_listed(evidence, books.told()).passed
        assert bank_paid_what_the_ledger_says(evidence, books.told()).passed


def test_a_return_that_was_none_is_listed_where_it_was_not_believed() -> None:
    doubted = books.doubted(PAID_ENTRY, "returned", uuid4())
    bank = [FIRST_ENTRY, doubted, GIVEN_UP_ENTRY]
    assert not wrong_reports_are_listed(books.evidence(bank=bank), books.told()).passed
    listed = [Discrepancy(LIE), Discrepancy(doubted.reports[1].event_id)]
    assert wrong_reports_are_listed(books.evidence(bank=bank, discrepancies=listed), books.told()).passed


def test_every_check_was_made_to_fail() -> None:
    made_to_fail: set[Callable[[Evidence, Told], Result]] = {row[1] for row in WRONG}
    assert made_to_fail | {nothing_unexpected_was_answered} == set(CHECKS)


def test_an_exact_copy_that_a_relay_sent_again_is_no_second_instruction() -> None:
    found = one_instruction_per_payable_claim(books.evidence(instructions=[ONE, TWO, AGAIN, ONE]), books.told())
    assert found.passed
    assert "1 sent again" in found.seen


def test_only_the_first_differences_are_shown() -> None:
    shown = Result("name", "seen", tuple(f"difference {n}" for n in range(8))).shown()
    assert shown[-1] == "and 3 more"
    assert len(shown) == 6


def test_the_report_counts_outcomes_by_reason_and_takes_times_from_the_data() -> None:
    evidence, told = books.evidence(), books.told()
    told.refused["window_closed"] = 1
    ended = report(evidence, told, verdict(evidence, told))
    assert ended.passed
    assert ended.outcomes == {
        ("application", "refused at once", "window_closed"): 1,
        ("application", "awarded", "limited by approved"): 1,
        ("application", "rejected", "registered"): 1,
        ("application", "rejected", "cap_exhausted"): 1,
        ("claim", "paid", ""): 1,
        ("claim", "rejected", "payment_cancelled"): 1,
        ("payment", "settled", "attempt 2"): 1,
        ("payment", "cancelled", "attempt 1"): 1,
    }
    by_stretch = {each.stretch: (each.cases, each.p50_seconds, each.p99_seconds) for each in ended.times}
    assert by_stretch == {
        "application submitted to award": (1, 0.0, 0.0),
        "claim submitted to settlement": (1, 3.0, 3.0),
        "application submitted to first settlement": (1, 3.0, 3.0),
    }
    assert msgspec.json.encode(ended.as_json())


def test_what_a_relay_sends_again_is_the_same_event_and_another_id_is_another() -> None:
    once, claimed = books.submission(AWARDED), books.claim_submission(PAID_CLAIM)
    evidence = Evidence(submissions=[once, claimed, once, claimed])
    assert (evidence.submitted(), evidence.claimed()) == ([once.event], [claimed.event])
    twice = Evidence(submissions=[once, replace(once, event_id="another")])
    assert twice.submitted() == [once.event, once.event]
