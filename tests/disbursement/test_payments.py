"""Payments: held for an account or a release, returned, instructed again, given up; and reports that move nothing."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.common import Account
from contracts.events import (
    AccountRejected,
    AccountVerificationRequested,
    AccountVerified,
    AwardIssued,
    ClaimCancelled,
    ClaimInstructed,
    ClaimPaid,
    ClaimPayable,
    Event,
    PaymentCancelled,
    PaymentInstructed,
    TransferPosted,
)
from contracts.money import Money
from contracts.policy import PaymentRules
from contracts.refusal import Refusal
from disbursement import creditors, tables
from disbursement.orders import CancelPayment, InstructPayment, ReleasePayment
from kit.sealing import keyring_of
from tests.disbursement.scenes import (
    NOW,
    YUAN,
    Scene,
    approved,
    only,
    policy,
    publish,
    returned,
    settled,
    verified,
)

BETTER = Account(name="A", account="2", bank_code="B")
LATER = NOW + timedelta(days=2)


async def awarded(scene: Scene, rules: PaymentRules | None = None) -> list[Event]:
    """Award CNY 60,000 under a policy with these payment rules; return what was said."""
    await publish(scene, policy(version="p", payments=rules or PaymentRules()))
    return await scene.tell(approved(60_000 * YUAN, policy_version="p"))


async def instructed(scene: Scene) -> PaymentInstructed:
    award = only(await awarded(scene), AwardIssued)
    return only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)


async def the_payment(scene: Scene) -> Any:
    [row] = await scene.rows(tables.payments)
    return row


async def discrepancies(scene: Scene) -> list[str]:
    return [row.detail for row in await scene.rows(tables.reports) if row.effect == "discrepancy"]


# --- the account ---------------------------------------------------------------------------------------------


async def test_an_account_is_asked_about_at_the_award_and_paid_once_it_is_verified(scene: Scene) -> None:
    said = await awarded(scene, PaymentRules(verify_account=True))
    asked, award = only(said, AccountVerificationRequested), only(said, AwardIssued)
    assert (asked.creditor, asked.question) == (Account(name="A", account="1", bank_code="B"), 1)

    said = await scene.tell(verified(award, 1_000 * YUAN))
    assert only(said, ClaimPayable).payment_status == "held"
    assert [event for event in said if isinstance(event, PaymentInstructed)] == []

    said = await scene.tell(AccountVerified(verification_id=asked.verification_id))
    assert only(said, PaymentInstructed).attempt == 1
    assert only(said, ClaimInstructed).attempt == 1
    only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)  # the next one goes at once


async def test_an_account_is_asked_about_once_for_all_awards_of_a_company(scene: Scene) -> None:
    await awarded(scene, PaymentRules(verify_account=True))
    said = await scene.tell(approved(1_000 * YUAN, policy_version="p"), approved(1_000 * YUAN, policy_version="p"))

    assert [event for event in said if isinstance(event, AccountVerificationRequested)] == []


async def test_an_answer_counts_once_and_a_contradiction_is_listed(scene: Scene) -> None:
    said = await awarded(scene, PaymentRules(verify_account=True))
    asked = only(said, AccountVerificationRequested)
    answer = AccountVerified(verification_id=asked.verification_id)

    await scene.tell(answer, answer)
    await scene.tell(AccountRejected(verification_id=asked.verification_id, reason_code="AC01"))

    assert await discrepancies(scene) == ["the account was verified before"]
    [account] = await scene.rows(tables.accounts)
    assert (account.status, account.next_step_at) == ("verified", None)


async def test_a_question_without_an_answer_is_asked_again(scene: Scene) -> None:
    asked = only(await awarded(scene, PaymentRules(verify_account=True)), AccountVerificationRequested)

    said = await scene.pass_time(NOW + timedelta(hours=48))

    again = only(said, AccountVerificationRequested)
    assert (again.verification_id, again.question) == (asked.verification_id, 2)


async def test_a_rejected_account_is_replaced_and_the_new_one_verified(scene: Scene) -> None:
    said = await awarded(scene, PaymentRules(verify_account=True))
    asked, award = only(said, AccountVerificationRequested), only(said, AwardIssued)
    await scene.tell(verified(award, 1_000 * YUAN))
    await scene.tell(AccountRejected(verification_id=asked.verification_id, reason_code="AC01"))
    payment = await the_payment(scene)
    assert (payment.status, payment.hold) == ("held", "account_rejected")
    with pytest.raises(Refusal, match="account_needed"):
        await scene.order(InstructPayment(payment_id=payment.payment_id))

    said = await scene.order(InstructPayment(payment_id=payment.payment_id, creditor=BETTER))
    again = only(said, AccountVerificationRequested)
    assert again.creditor == BETTER
    said = await scene.tell(AccountVerified(verification_id=again.verification_id))

    instruction = only(said, PaymentInstructed)
    assert (instruction.creditor, instruction.attempt) == (BETTER, 1)  # the first one that finance sees


# --- the release -----------------------------------------------------------------------------------------------


async def test_a_large_payment_waits_for_two_persons(scene: Scene) -> None:
    said = await awarded(scene, PaymentRules(release_above=Money(500 * YUAN)))
    award = only(said, AwardIssued)
    only(await scene.tell(verified(award, 800 * YUAN)), PaymentInstructed)  # 480 yuan: not above
    assert only(await scene.tell(verified(award, 1_000 * YUAN)), ClaimPayable).payment_status == "held"
    held = next(row for row in await scene.rows(tables.payments) if row.hold == "release")

    with pytest.raises(Refusal, match="second_person_needed"):
        await scene.order(ReleasePayment(payment_id=held.payment_id), second="first")
    said = await scene.order(ReleasePayment(payment_id=held.payment_id))

    assert only(said, PaymentInstructed).payment_id == held.payment_id
    with pytest.raises(Refusal, match="wrong_state"):
        await scene.order(ReleasePayment(payment_id=held.payment_id))


async def test_a_large_payment_to_another_account_is_released_anew(scene: Scene) -> None:
    award = only(await awarded(scene, PaymentRules(release_above=Money(1))), AwardIssued)
    await scene.tell(verified(award, 1_000 * YUAN))
    held = await the_payment(scene)
    payment = only(await scene.order(ReleasePayment(payment_id=held.payment_id)), PaymentInstructed)
    await scene.tell(returned(payment))

    assert await scene.order(InstructPayment(payment_id=held.payment_id, creditor=BETTER)) == []
    assert (await the_payment(scene)).hold == "release"
    assert only(await scene.order(ReleasePayment(payment_id=held.payment_id)), PaymentInstructed).attempt == 2


# --- returned --------------------------------------------------------------------------------------------------


def opened(scene: Scene, award: Any) -> Account:
    return creditors.opened(keyring_of(scene.connection), award.application_id, award.creditor)


async def test_a_returned_payment_is_instructed_again_under_the_same_end_to_end_id(scene: Scene) -> None:
    payment = await instructed(scene)
    await scene.tell(returned(payment))

    said = await scene.order(InstructPayment(payment_id=payment.payment_id, creditor=BETTER), now=LATER)

    again = only(said, PaymentInstructed)
    assert (again.end_to_end_id, again.attempt, again.creditor) == (payment.end_to_end_id, 2, BETTER)
    assert [event for event in said if isinstance(event, TransferPosted)] == []
    assert only(await scene.tell(settled(again, settled_at=LATER)), ClaimPaid).paid == payment.money
    [award] = await scene.rows(tables.awards)
    assert (
        creditors.opened(keyring_of(scene.connection), award.application_id, award.creditor) == BETTER
    )  # later claims are paid there, too


@pytest.mark.parametrize(
    ("late", "effect"),
    [
        (returned, "duplicate"),
        (lambda payment: returned(payment, bank_reference="OTHER"), "discrepancy"),
        (lambda payment: returned(payment, bank_reference="OTHER", attempt=1), "discrepancy"),
        (settled, "discrepancy"),
        (lambda payment: settled(payment, bank_reference="S", attempt=1, settled_at=LATER), "discrepancy"),
        (lambda payment: settled(payment, bank_reference="S", attempt=2), "moved"),
    ],
)
async def test_a_late_report_on_the_attempt_before_moves_nothing(scene: Scene, late: Any, effect: str) -> None:
    payment = await instructed(scene)
    await scene.tell(returned(payment))
    await scene.order(InstructPayment(payment_id=payment.payment_id), now=LATER)

    await scene.tell(late(payment), now=LATER)

    assert sorted(row.effect for row in await scene.rows(tables.reports)) == sorted(["moved", effect])
    assert (await the_payment(scene)).status == ("settled" if effect == "moved" else "instructed")


async def test_a_returned_payment_is_given_up_and_its_money_is_the_awards_again(scene: Scene) -> None:
    payment = await instructed(scene)
    await scene.tell(returned(payment))

    said = await scene.order(CancelPayment(payment_id=payment.payment_id))

    assert only(said, PaymentCancelled).money == payment.money
    cancelled = only(said, ClaimCancelled)
    assert (cancelled.rest, cancelled.reasons[0].code) == (Money(60_000 * YUAN), "payment_cancelled")
    pool = await scene.pool()
    assert (pool.committed, pool.obligated) == (60_000 * YUAN, 0)
    await scene.tell(settled(payment))
    assert await discrepancies(scene) == ["the payment is cancelled"]
    assert (await scene.pool()).disbursed == 0


async def test_an_exhausted_award_can_be_claimed_on_again_after_that(scene: Scene) -> None:
    award = only(await awarded(scene), AwardIssued)
    payment = only(await scene.tell(verified(award, 100_000 * YUAN)), PaymentInstructed)
    await scene.tell(returned(payment))
    await scene.order(CancelPayment(payment_id=payment.payment_id))

    assert only(await scene.tell(verified(award, 1_000 * YUAN)), ClaimPayable).rest == Money(59_400 * YUAN)
    [row] = await scene.rows(tables.awards)
    assert (row.status, row.next_step_at is not None) == ("active", True)


@pytest.mark.parametrize("subject", [InstructPayment, CancelPayment])
@pytest.mark.parametrize("status", ["instructed", "settled"])
async def test_what_may_be_at_the_bank_is_neither_sent_again_nor_given_up(
    scene: Scene, subject: type[Any], status: str
) -> None:
    payment = await instructed(scene)
    if status == "settled":
        await scene.tell(settled(payment))

    with pytest.raises(Refusal, match="wrong_state"):
        await scene.order(subject(payment_id=payment.payment_id))


async def test_a_settlement_that_the_bank_takes_back_is_for_a_person(scene: Scene) -> None:
    payment = await instructed(scene)
    await scene.tell(settled(payment))

    assert await scene.tell(returned(payment, bank_reference="BACK")) == []

    assert await discrepancies(scene) == ["the payment is settled"]
    assert (await scene.pool()).disbursed == payment.money.amount
