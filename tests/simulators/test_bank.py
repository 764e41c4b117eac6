"""The bank decides by seed and payment, in the proportions asked for, and its log remembers across a SIGKILL."""

from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from contracts.events import PaymentReturned, PaymentSettled
from stack.simulators.bank import RETURN_REASONS, Outcome, Proportions, decide
from stack.simulators.bank_log import BankLog
from tests.simulators.payments import NOW, instruction


def outcome(returned: float = 0.0, duplicates: float = 0.0) -> Outcome:
    return decide(1, instruction(), Proportions(returned, duplicates), NOW, uuid7())


def test_the_same_payment_has_the_same_fate() -> None:
    payment, event_id = instruction(), uuid7()
    half = Proportions(returned=0.5, duplicates=0.5)
    assert len({decide(1, payment, half, NOW, event_id) for _ in range(10)}) == 1


def test_another_seed_another_fate() -> None:
    payment, half = instruction(), Proportions(returned=0.5)
    assert {decide(seed, payment, half, NOW, uuid7()).outcome for seed in range(50)} == {"settled", "returned"}


def test_proportions_hold() -> None:
    outcomes = [outcome(returned=0.1, duplicates=0.2) for _ in range(3000)]
    returned = sum(each.outcome == "returned" for each in outcomes) / len(outcomes)
    duplicated = sum(each.duplicate != "none" for each in outcomes) / len(outcomes)
    assert returned == pytest.approx(0.1, abs=0.03)
    assert duplicated == pytest.approx(0.2, abs=0.04)
    assert {each.duplicate for each in outcomes} == {"none", "same_event", "new_event"}


def test_a_report_says_what_was_paid() -> None:
    settled, returned = outcome(), outcome(returned=1.0)
    assert isinstance(settled.report(), PaymentSettled)
    report = returned.report()
    assert isinstance(report, PaymentReturned)
    assert report.reason_code in RETURN_REASONS
    assert (report.payment_id, report.money.amount) == (returned.payment_id, returned.amount)


async def test_the_log_remembers_outcomes_and_reports(tmp_path: Path) -> None:
    first, second = outcome(), outcome()
    log = BankLog(tmp_path / "bank" / "log")
    await log.decide([first, second])
    log.report([first])
    log.report([first])
    log.close()

    recalled = BankLog(tmp_path / "bank" / "log")
    assert recalled.outcomes == {first.key: first, second.key: second}
    assert recalled.times_reported == {first.key: 2}
    assert recalled.unreported() == [second]
    recalled.close()


async def test_a_line_cut_short_is_dropped_and_the_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, second = outcome(), outcome()
    log = BankLog(path)
    await log.decide([first])
    await log.decide([second])
    log.close()
    path.write_bytes(path.read_bytes()[:-20])

    recalled = BankLog(path)
    assert recalled.outcomes == {first.key: first}
    await recalled.decide([second])
    recalled.close()
    again = BankLog(path)
    assert set(again.outcomes) == {first.key, second.key}
    again.close()


async def test_a_log_without_a_path_is_kept_in_memory() -> None:
    log, one = BankLog(), outcome()
    await log.decide([one])
    assert log.knows(one.key)
    log.close()
