"""The bank decides by seed and payment, in the proportions asked for, and its log remembers across a SIGKILL."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from uuid_utils.compat import uuid7

from contracts.events import AccountRejected, AccountVerified, PaymentInstructed, PaymentReturned, PaymentSettled
from stack.simulators.bank import RETURN_REASONS, Bank, Proportions
from stack.simulators.bank_log import BankLog, Said
from stack.simulators.cases import ACCOUNT_REASONS, Case, Outcome
from stack.simulators.words import TRUE, Manner, Says, Word
from tests.simulators.payments import NOW, account_question, demand, instruction

TRUTHFUL = Manner(duplicates=0.0)


def bank(seed: int = 1, manner: Manner = TRUTHFUL, **shares: float) -> Bank:
    return Bank(seed, Proportions(**{"returned": 0.0, "returned_again": 0.0, "rejected": 0.0} | shares), manner)


def pay(payment: PaymentInstructed | None = None, before: Sequence[Outcome] = (), returned: float = 0.0) -> Outcome:
    return bank(returned=returned).pay(payment or instruction(), before, NOW)


def said(outcome: Outcome, word: Word | None = None) -> Said:
    spoken = word or outcome.truth()
    return Said(*outcome.key, event_id=spoken.event_id, says=spoken.says)


def test_the_same_payment_has_the_same_fate() -> None:
    payment, doubtful = instruction(), Manner(duplicates=0.5, contradictions=0.5, lost=0.5, reorder_seconds=9)
    outcomes = [bank(manner=doubtful, returned=0.5).pay(payment, (), NOW) for _ in range(10)]
    fates = {(each.outcome, each.reason_code, each.bank_reference, plan(each)) for each in outcomes}
    assert len(fates) == 1


def plan(outcome: Outcome) -> tuple[tuple[str, float, bool], ...]:
    return tuple((word.says, word.after_seconds, word.follows) for word in outcome.words)


def test_another_seed_another_fate() -> None:
    payment = instruction()
    fates = {bank(seed, returned=0.5).pay(payment, (), NOW).outcome for seed in range(50)}
    assert fates == {"settled", "returned"}


def test_proportions_hold() -> None:
    manner = Manner(duplicates=0.3, contradictions=0.1, lost=0.1)
    outcomes = [bank(manner=manner, returned=0.1).pay(instruction(), (), NOW) for _ in range(3000)]

    def share(*says: Says) -> float:
        return sum(any(word.says in says for word in each.words) for each in outcomes) / len(outcomes)

    assert sum(each.outcome == "returned" for each in outcomes) / len(outcomes) == pytest.approx(0.1, abs=0.03)
    assert share("truth") == pytest.approx(0.9, abs=0.03)
    assert share("again") == pytest.approx(0.3, abs=0.04)
    wrong: tuple[Says, ...] = ("settled", "returned", "other_amount", "other_name", "unknown_payment")
    assert share(*wrong) == pytest.approx(0.1, abs=0.03)
    assert all(share(each) for each in wrong)


def test_a_duplicate_comes_under_the_old_id_or_a_new_one_and_after_the_truth() -> None:
    outcomes = [bank(manner=Manner(duplicates=1.0)).pay(instruction(), (), NOW) for _ in range(50)]
    again = [(each, word) for each in outcomes for word in each.words if word.says == "again"]
    assert {word.event_id == outcome.event_id for outcome, word in again} == {True, False}
    assert all(word.follows and outcome.report(word) == outcome.report(outcome.truth()) for outcome, word in again)


def test_reports_take_their_own_time_within_what_was_set() -> None:
    manner = Manner(delay_seconds=1.0, reorder_seconds=60.0)
    seconds = [bank(manner=manner).pay(instruction(), (), NOW).words[0].after_seconds for _ in range(200)]
    assert min(seconds) >= 1.0
    assert max(seconds) <= 61.0
    assert max(seconds) - min(seconds) > 30.0


def test_a_report_says_what_was_paid() -> None:
    settled, returned = pay(), pay(returned=1.0)
    assert isinstance(settled.report(settled.truth()), PaymentSettled)
    report = returned.report(returned.truth())
    assert isinstance(report, PaymentReturned)
    assert report.reason_code in RETURN_REASONS
    assert (report.payment_id, report.money.amount, report.attempt) == (returned.payment_id, returned.amount, 1)


@pytest.mark.parametrize("says", ["other_amount", "other_name", "unknown_payment"])
def test_a_wrong_report_differs_from_the_true_one_in_one_thing(says: Says) -> None:
    outcome = pay()
    true, wrong = outcome.report(outcome.truth()), outcome.report(Word(uuid7(), says))
    fields = {name for name in true.__struct_fields__ if getattr(true, name) != getattr(wrong, name)}
    assert fields == {{"other_amount": "money", "other_name": "end_to_end_id"}.get(says, "payment_id")}
    assert len(wrong.end_to_end_id) <= 35


def test_an_outcome_is_contradicted_by_its_opposite() -> None:
    settled, returned = pay(), pay(returned=1.0)
    assert isinstance(settled.report(Word(uuid7(), "returned")), PaymentReturned)
    assert isinstance(returned.report(Word(uuid7(), "settled")), PaymentSettled)


def test_settled_is_never_said_wrongly_before_the_truth() -> None:
    contrary = Manner(contradictions=1.0)
    returned = [bank(manner=contrary, returned=1.0).pay(instruction(), (), NOW) for _ in range(100)]
    wrong = [word for each in returned for word in each.words if word.says == "settled"]
    assert wrong
    assert all(word.follows for word in wrong)
    assert not [word for each in returned for word in each.words if word.says == "returned"]


def test_what_is_settled_is_not_paid_again_but_said_again() -> None:
    first = pay()
    second = pay(instruction(first.payment_id, attempt=2), [first])
    assert second.outcome == "repeated"
    report = second.report(second.truth())
    assert isinstance(report, PaymentSettled)
    assert (report.attempt, report.bank_reference) == (2, first.bank_reference)


def test_another_account_cures_a_wrong_one_and_the_same_does_not() -> None:
    payments = (instruction() for _ in range(1000))
    first = next(each for each in (pay(payment, returned=1.0) for payment in payments) if each.reason_code == "AC04")
    assert first.creditor is not None
    same = instruction(first.payment_id, attempt=2)
    other = msgspec.structs.replace(same, creditor=bank().another(first.creditor))
    assert pay(same, [first]).reason_code == "AC04"
    assert pay(other, [first]).outcome == "settled"


def test_an_account_is_known_or_not_whenever_it_is_asked_about() -> None:
    numbers = [msgspec.structs.replace(instruction().creditor, account=f"{number:019}") for number in range(1000)]
    half = bank(rejected=0.5)
    checks = [half.check(account_question(account), NOW) for account in numbers for _ in range(2)]
    assert all(one.reason_code is None or one.reason_code in ACCOUNT_REASONS for one in checks)
    assert all((one.reason_code is None) == half.accepts(one.creditor) for one in checks)
    assert sum(half.accepts(account) for account in numbers) == pytest.approx(500, abs=60)
    kinds = {type(check.report(check.truth())) for check in checks}
    assert kinds == {AccountVerified, AccountRejected}


def test_a_corrected_account_is_another_one_that_the_bank_knows() -> None:
    strict, wrong = bank(rejected=0.9), instruction().creditor
    better = strict.another(wrong)
    assert (better.name, better.bank_code) == (wrong.name, wrong.bank_code)
    assert better.account != wrong.account
    assert strict.accepts(better)


def test_a_debtor_pays_all_in_parts() -> None:
    demands = [demand(amount) for amount in (1, 2, 100, 12_345) for _ in range(50)]
    paid = {each.recovery_id: bank(manner=Manner(lost=1.0)).receive(each, NOW) for each in demands}
    for each in demands:
        receipts = paid[each.recovery_id]
        assert sum(receipt.amount for receipt in receipts) == each.money.amount
        assert all(receipt.amount > 0 for receipt in receipts)
        assert len({receipt.bank_reference for receipt in receipts}) == len(receipts)
        assert all(receipt.words for receipt in receipts), "nobody asks for a receipt, so none is lost"
    assert {len(receipts) for receipts in paid.values()} == {1, 2, 3}


async def test_the_log_remembers_outcomes_and_reports(tmp_path: Path) -> None:
    first, second = pay(), pay()
    check, receipts = bank().check(account_question(), NOW), bank().receive(demand(), NOW)
    log = BankLog(tmp_path / "bank" / "log")
    cases: list[Case] = [first, second, check, *receipts]
    log.add(cases)
    await log.keep(cases)
    log.say([said(first), said(first)])
    log.close_recovery(receipts[0].recovery_id)
    log.close()

    recalled = BankLog(tmp_path / "bank" / "log")
    assert recalled.cases == {case.key: case for case in cases}
    assert len(recalled.said[first.key]) == 2
    assert recalled.unsaid(first) == []
    assert recalled.unsaid(second) == list(second.words)
    assert recalled.attempts(first.payment_id) == [first]
    assert all(recalled.is_closed(receipt) for receipt in receipts)
    recalled.close()


async def test_what_follows_the_truth_is_unsaid_only_after_it() -> None:
    outcome = bank(manner=Manner(duplicates=1.0)).pay(instruction(), (), NOW)
    truth, again = outcome.words
    log = BankLog()
    log.add([outcome])
    assert log.unsaid(outcome) == [truth]
    log.say([said(outcome, truth)])
    assert log.unsaid(outcome) == [again]
    log.say([said(outcome, again)])
    assert log.unsaid(outcome) == []
    assert all(each.says in TRUE for each in log.said[outcome.key])


async def test_a_line_cut_short_is_dropped_and_the_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, second = pay(), pay()
    log = BankLog(path)
    await log.keep([first])
    await log.keep([second])
    log.close()
    path.write_bytes(path.read_bytes()[:-20])

    recalled = BankLog(path)
    assert recalled.cases == {first.key: first}
    await recalled.keep([second])
    recalled.close()
    again = BankLog(path)
    assert set(again.cases) == {first.key, second.key}
    again.close()


def test_a_log_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    outcome = pay()
    old = {name: value for name, value in msgspec.to_builtins(outcome).items() if name not in {"words", "creditor"}} | {
        "duplicate": "none",
        "lost": False,
    }
    reported = {"entry": "reported", "payment_id": str(outcome.payment_id), "attempt": 1}
    path = tmp_path / "log"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in (old, reported)))

    log = BankLog(path)
    assert log.was_told(outcome.key)
    assert log.unsaid(log.cases[outcome.key]) == []
    assert log.answered(outcome) == 0
    log.close()
