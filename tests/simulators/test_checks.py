"""Each check holds on right books and fails, by name and with words, on books that are wrong in one place."""

from collections.abc import Callable
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
from stack.checks.payments import bank_paid_what_the_ledger_says, one_instruction_per_payable_claim
from stack.checks.result import Result
from stack.checks.views import intake_equals_owners
from stack.report import report
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import AwardInApplication, ClaimInApplication, PaymentInClaim
from tests.simulators import books
from tests.simulators.books import AWARD, AWARDED, PAID, PAID_CLAIM, POOL, RETURNED, RETURNED_CLAIM


def test_all_checks_hold_on_right_books() -> None:
    assert [result for result in verdict(books.evidence(), books.told()) if not result.passed] == []


def transfer(number: int, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the transfers with one of them changed."""
    posted = books.transfers()
    posted[number - 1] |= changed
    return {POOL: posted}


def application(**changed: Any) -> dict[UUID, Any]:
    """Return the applications with the awarded one changed."""
    return books.evidence().applications | {AWARDED: msgspec.structs.replace(books.awarded_application(), **changed)}


def claim(claim_id: UUID, status: str, payment: PaymentInClaim | None) -> ClaimInApplication:
    return ClaimInApplication(claim_id, status, Money(200), payment)


def award(**changed: Any) -> AwardInApplication:
    return AwardInApplication(AWARD, "active", **books.award_moneys() | changed)


E = books.evidence
PAID_ENTRY, RETURNED_ENTRY = books.evidence().bank
PAID_PAYMENT, RETURNED_PAYMENT = books.evidence().payments
ONE, TWO = books.evidence().instructions

WRONG: list[tuple[str, Check, Evidence, str]] = [
    ("a fen is lost", pool_identity, E(pools=[books.pool(available=399)]), "the four make 9.99"),
    ("no pools", pool_identity, E(pools=[]), "no pool"),
    ("a transfer is gone", ledger_replays, E(transfers={POOL: books.transfers()[:-1]}), "replayed"),
    ("a middle transfer is gone", ledger_replays, E(transfers={POOL: books.transfers()[1:]}), "chain is broken"),
    ("an amount was changed", ledger_replays, E(transfers=transfer(3, money={"amount": 1})), "match the hash"),
    ("a version is skipped", ledger_replays, E(transfers=transfer(2, version=7)), "has version 7"),
    ("balances were changed", ledger_replays, E(transfers=transfer(2, balances={})), "carries {}"),
    ("an award is not in the pool", awards_add_up, E(awards=[]), "committed: 3.00, its awards hold 0.00"),
    ("a gauge is stale", metrics_equal_ledger, E(metrics_text=books.metrics_text(books.pool(committed=299))), "2.99"),
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
    ("no instruction", one_instruction_per_payable_claim, E(instructions=[ONE]), "has no instruction"),
    (
        "a second instruction",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, books.instructed(uuid4(), PAID_CLAIM)]),
        "has 2 instructions",
    ),
    (
        "an instruction for nothing",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, TWO, books.instructed(uuid4(), uuid4())]),
        "not payable",
    ),
    (
        "a name used twice",
        one_instruction_per_payable_claim,
        E(instructions=[ONE, books.instructed(PAID, RETURNED_CLAIM, "another event")]),
        "stands for 2 payments",
    ),
    (
        "paid twice",
        bank_paid_what_the_ledger_says,
        E(bank=[PAID_ENTRY, msgspec.structs.replace(PAID_ENTRY, attempt=2), RETURNED_ENTRY]),
        "paid 2 times",
    ),
    ("unknown to the bank", bank_paid_what_the_ledger_says, E(bank=[PAID_ENTRY]), "unknown to the bank"),
    ("unknown to us", bank_paid_what_the_ledger_says, E(payments=[PAID_PAYMENT]), "disbursement does not"),
    (
        "another outcome",
        bank_paid_what_the_ledger_says,
        E(bank=[PAID_ENTRY, books.bank_entry(RETURNED, 100, "settled")]),
        "at the bank settled",
    ),
    (
        "another amount",
        bank_paid_what_the_ledger_says,
        E(bank=[books.bank_entry(PAID, 201, "settled"), RETURNED_ENTRY]),
        "at the bank 2.01",
    ),
    (
        "never reported",
        bank_paid_what_the_ledger_says,
        E(bank=[books.bank_entry(PAID, 200, "settled", reports=0), RETURNED_ENTRY]),
        "never reported",
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


def test_every_check_was_made_to_fail() -> None:
    made_to_fail: set[Callable[[Evidence, Told], Result]] = {row[1] for row in WRONG}
    assert made_to_fail | {nothing_unexpected_was_answered} == set(CHECKS)


def test_an_exact_copy_that_a_relay_sent_again_is_no_second_instruction() -> None:
    found = one_instruction_per_payable_claim(books.evidence(instructions=[ONE, TWO, ONE]), books.told())
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
        ("claim", "payable", "payment returned"): 1,
    }
    by_stretch = {each.stretch: (each.cases, each.p50_seconds, each.p99_seconds) for each in ended.times}
    assert by_stretch == {
        "application submitted to award": (1, 0.0, 0.0),
        "claim submitted to settlement": (1, 3.0, 3.0),
        "application submitted to first settlement": (1, 3.0, 3.0),
    }
    assert msgspec.json.encode(ended.as_json())
