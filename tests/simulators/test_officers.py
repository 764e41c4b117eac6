"""Finance's officers: two persons release, returns are decided by what the bank did, each act counts once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from contracts.common import Account
from contracts.events import PaymentInstructed
from stack.simulators.bank import RETURN_REASONS, Bank, Proportions
from stack.simulators.bank_log import BankLog
from stack.simulators.cases import ACCOUNT_REASONS
from stack.simulators.officers import (
    APPROVER,
    MOST_ATTEMPTS,
    PROPOSER,
    Cancel,
    Desk,
    Instruct,
    Officers,
    calling,
    decide,
)
from tests.simulators.conftest import Serve
from tests.simulators.fake_disbursement import FakeDisbursement, served
from tests.simulators.payments import NOW, account_question, instruction

BANK = Bank(1, Proportions(returned=0.0, returned_again=0.0, rejected=0.0))
SENDS_BACK = Bank(1, Proportions(returned=1.0, returned_again=1.0, rejected=0.0))


def heard(log: BankLog, payments: list[PaymentInstructed], bank: Bank = SENDS_BACK) -> BankLog:
    """Let the bank act on payments."""
    for payment in payments:
        log.add([bank.pay(payment, log.attempts(payment.payment_id), NOW)])
    return log


@asynccontextmanager
async def at_work(
    fake: FakeDisbursement, serve: Serve, log: BankLog, cancelled: float = 0.0
) -> AsyncIterator[Officers]:
    async with served(fake, serve) as url:
        officers = Officers(Desk(url, lambda person: person, cancelled=cancelled), log, SENDS_BACK)
        async with calling(Desk(url, lambda person: person)) as persons:
            await officers.look(persons)
        yield officers


async def test_two_persons_release_a_large_payment(serve: Serve) -> None:
    fake, payment = FakeDisbursement(failing=2), instruction()
    fake.held(payment, "release")
    async with at_work(fake, serve, BankLog()) as officers:
        [effect] = fake.effects
    assert effect.act == "release"
    assert effect.person == APPROVER
    assert [proposer for _, proposer in fake.orders.values()] == [PROPOSER]
    assert officers.did.released == 1
    assert officers.did.surprises == []


async def test_a_rejected_account_is_corrected(serve: Serve) -> None:
    fake, log, payment, question = FakeDisbursement(), BankLog(), instruction(), account_question()
    log.add([Bank(1, Proportions(rejected=1.0)).check(question, NOW)])
    fake.held(payment, "account_rejected", question.verification_id)
    async with at_work(fake, serve, log) as officers:
        [effect] = fake.effects
    account = msgspec.convert(effect.body["creditor"], Account)
    assert (account.name, account.bank_code) == (payment.creditor.name, payment.creditor.bank_code)
    assert account.account != payment.creditor.account
    assert officers.did.corrected == 1


async def test_what_waits_for_the_bank_is_left_alone(serve: Serve) -> None:
    fake = FakeDisbursement()
    fake.held(instruction(), "account", account_question().verification_id)
    async with at_work(fake, serve, BankLog()):
        assert fake.effects == []


async def test_returned_payments_are_decided_each_once(serve: Serve) -> None:
    payments = [instruction() for _ in range(60)]
    fake, log = FakeDisbursement(failing=5), heard(BankLog(), payments)
    fake.returned(payments)
    async with at_work(fake, serve, log, cancelled=0.3) as officers:
        assert fake.waiting() == []
    assert len({effect.payment_id for effect in fake.effects}) == len(fake.effects) == len(payments)
    assert fake.broken_keys == []
    assert officers.did.instructed + officers.did.cancelled == len(payments)
    assert 5 < officers.did.cancelled < 35
    assert officers.did.surprises == []


async def test_officers_who_come_back_say_the_same_again(serve: Serve) -> None:
    payments = [instruction() for _ in range(20)]
    fake, log = FakeDisbursement(), heard(BankLog(), payments)
    fake.returned(payments)
    async with at_work(fake, serve, log, cancelled=0.5):
        pass
    fake.returned(payments)  # as if the list were read from an old copy
    async with at_work(fake, serve, log, cancelled=0.5) as officers:
        pass
    assert len(fake.effects) == len(payments)
    assert fake.broken_keys == []
    assert officers.did.surprises == []


async def test_officers_come_back_to_a_disbursement_that_fails(serve: Serve) -> None:
    payments = [instruction() for _ in range(8)]
    fake, log = FakeDisbursement(failing=12), heard(BankLog(), payments)
    fake.returned(payments)
    fake.held(instruction(), "release")
    async with served(fake, serve) as url:
        desk = Desk(url, lambda person: person, every_seconds=0.05, patience_seconds=0.1)
        officers = Officers(desk, log, SENDS_BACK)
        working = asyncio.create_task(officers.run())
        async with asyncio.timeout(20):
            while fake.waiting():
                assert not working.done(), working
                await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.wait({working})
    assert len(fake.effects) == len(payments) + 1
    assert fake.broken_keys == []
    assert officers.did.surprises == []


async def test_a_refusal_because_somebody_was_quicker_is_no_surprise(serve: Serve) -> None:
    payment = instruction()
    fake, log = FakeDisbursement(too_late=True), heard(BankLog(), [payment])
    fake.returned([payment])
    async with at_work(fake, serve, log) as officers:
        assert fake.effects == []
    assert officers.did.refused == {"wrong_state": 1}
    assert officers.did.surprises == []


async def test_a_payment_that_finance_never_saw_is_none_of_its_returns(serve: Serve) -> None:
    fake, payment = FakeDisbursement(), instruction()
    fake.returned([payment])
    async with at_work(fake, serve, BankLog()) as officers:
        assert fake.effects == []
    assert str(payment.payment_id) in officers.did.surprises[0]


def test_a_wrong_account_is_corrected_and_an_unexplained_return_sent_again() -> None:
    outcomes = [SENDS_BACK.pay(instruction(), (), NOW) for _ in range(200)]
    assert {each.reason_code for each in outcomes} == set(RETURN_REASONS)
    for outcome in outcomes:
        decision = decide(outcome, SENDS_BACK, cancelled=0.0)
        assert isinstance(decision, Instruct)
        assert (decision.creditor is not None) == (outcome.reason_code in ACCOUNT_REASONS)
        if decision.creditor and outcome.creditor:
            assert decision.creditor == SENDS_BACK.another(outcome.creditor)


@pytest.mark.parametrize("attempt", [1, MOST_ATTEMPTS])
def test_what_the_bank_settled_is_never_given_up(attempt: int) -> None:
    settled = BANK.pay(instruction(attempt=attempt), (), NOW)
    assert settled.outcome == "settled"
    assert decide(settled, BANK, cancelled=1.0) == Instruct(reason="银行记录显示已支付，请再次报告")


def test_nothing_is_tried_for_ever() -> None:
    assert isinstance(decide(SENDS_BACK.pay(instruction(attempt=MOST_ATTEMPTS), (), NOW), SENDS_BACK, 0.0), Cancel)
