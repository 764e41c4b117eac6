"""Money demanded back: received in parts, kept back of later payments, written off. Each fen comes back once."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.events import (
    ApplicationWaitlisted,
    AwardIssued,
    AwardRecovered,
    ClaimPaid,
    ClaimPayable,
    PaymentInstructed,
    RecoveryClosed,
    RecoveryDemanded,
    TransferPosted,
)
from contracts.money import Money
from contracts.policy import PaymentRules
from contracts.refusal import Refusal
from disbursement import tables
from disbursement.orders import CancelPayment, DemandRecovery, WriteOffRecovery
from tests.disbursement.scenes import (
    CAP_FEN,
    NOW,
    YUAN,
    Scene,
    approved,
    only,
    policy,
    publish,
    received,
    returned,
    settled,
    verified,
)

PAID = 6_000 * YUAN


async def paid(scene: Scene, **changes: Any) -> AwardIssued:
    """An award of CNY 60,000 of which 6,000 were paid, under a policy that nets."""
    await publish(scene, policy(version="n", payments=PaymentRules(net_recoveries=True)))
    award = only(await scene.tell(approved(60_000 * YUAN, policy_version="n", **changes)), AwardIssued)
    await scene.tell(settled(only(await scene.tell(verified(award, 10_000 * YUAN)), PaymentInstructed)))
    return award


async def demanded(scene: Scene, award: AwardIssued, amount: int = PAID) -> RecoveryDemanded:
    return only(await scene.order(DemandRecovery(award_id=award.award_id, money=Money(amount))), RecoveryDemanded)


async def the_recovery(scene: Scene) -> Any:
    [row] = await scene.rows(tables.recoveries)
    return row


async def test_a_demand_is_received_in_parts_and_closed(scene: Scene) -> None:
    award = await paid(scene)
    recovery = await demanded(scene, award)
    assert recovery.due_at == NOW + timedelta(days=30)

    said = await scene.tell(received(recovery, 1_000 * YUAN), received(recovery, 5_000 * YUAN, reference="R2"))

    back = [(event.money.amount, event.outstanding.amount) for event in said if isinstance(event, AwardRecovered)]
    assert back == [(1_000 * YUAN, 5_000 * YUAN), (5_000 * YUAN, 0)]
    closed = only(said, RecoveryClosed)
    assert (closed.outcome, closed.received) == ("received", Money(PAID))
    moves = [(event.source, event.to) for event in said if isinstance(event, TransferPosted)]
    assert moves == [("disbursed", "available")] * 2
    [row] = await scene.rows(tables.awards)
    assert (row.disbursed, row.released, row.recovered) == (0, PAID, PAID)
    [cap] = await scene.rows(tables.caps)
    assert cap.granted == 54_000 * YUAN


async def test_a_receipt_counts_once_and_what_is_too_much_is_for_a_person(scene: Scene) -> None:
    recovery = await demanded(scene, await paid(scene))
    receipt = received(recovery, 4_000 * YUAN)

    await scene.tell(receipt, receipt, received(recovery, 2_001 * YUAN, reference="R2"))

    effects = [row.effect for row in await scene.rows(tables.reports) if row.recovery_id]
    assert effects == ["moved", "duplicate", "discrepancy"]
    assert (await the_recovery(scene)).received == 4_000 * YUAN


async def test_no_more_is_demanded_than_was_paid(scene: Scene) -> None:
    award = await paid(scene)
    await demanded(scene, award, 5_000 * YUAN)

    with pytest.raises(Refusal, match="amount_too_large"):
        await demanded(scene, award, 1_001 * YUAN)


async def test_what_is_written_off_stays_disbursed(scene: Scene) -> None:
    recovery = await demanded(scene, await paid(scene))
    await scene.tell(received(recovery, 1_000 * YUAN))

    said = await scene.order(WriteOffRecovery(recovery_id=recovery.recovery_id))

    closed = only(said, RecoveryClosed)
    assert (closed.outcome, closed.received, closed.written_off) == (
        "written_off",
        Money(1_000 * YUAN),
        Money(5_000 * YUAN),
    )
    assert (await scene.pool()).disbursed == 5_000 * YUAN
    await scene.tell(received(recovery, 1, reference="R9"))
    assert [row.effect for row in await scene.rows(tables.reports) if row.recovery_id] == ["moved", "discrepancy"]


async def test_a_later_payment_is_reduced_by_what_is_owed(scene: Scene) -> None:
    award = await paid(scene)
    recovery = await demanded(scene, award, 2_000 * YUAN)

    said = await scene.tell(verified(award, 10_000 * YUAN))
    payable, instruction = only(said, ClaimPayable), only(said, PaymentInstructed)
    assert (payable.payable, payable.netted, instruction.money) == (
        Money(PAID),
        Money(2_000 * YUAN),
        Money(4_000 * YUAN),
    )
    said = await scene.tell(settled(instruction))

    assert only(said, ClaimPaid).paid == Money(PAID)
    assert (only(said, AwardRecovered).by, only(said, RecoveryClosed).netted) == ("netting", Money(2_000 * YUAN))
    moves = [
        (event.source, event.to, event.money.amount // YUAN) for event in said if isinstance(event, TransferPosted)
    ]
    assert moves == [
        ("obligated", "disbursed", 4_000),
        ("obligated", "disbursed", 2_000),
        ("disbursed", "available", 2_000),
    ]
    assert (await the_recovery(scene)).recovery_id == recovery.recovery_id


async def test_what_is_owed_altogether_needs_no_bank(scene: Scene) -> None:
    award = await paid(scene)
    await demanded(scene, award)

    said = await scene.tell(verified(award, 5_000 * YUAN))

    assert only(said, ClaimPayable).payment_status == "settled"
    assert [event for event in said if isinstance(event, PaymentInstructed)] == []
    only(said, ClaimPaid)
    recovery = await the_recovery(scene)
    assert (recovery.netted, recovery.status) == (3_000 * YUAN, "demanded")


async def test_two_payments_at_once_keep_back_no_more_than_is_owed(scene: Scene) -> None:
    award = await paid(scene)
    await demanded(scene, award, 5_000 * YUAN)

    said = await scene.tell(verified(award, 6_000 * YUAN), verified(award, 6_000 * YUAN))

    netted = [event.netted.amount // YUAN for event in said if isinstance(event, ClaimPayable)]
    assert netted == [3_600, 1_400]


async def test_what_was_kept_back_of_a_payment_that_is_given_up_is_owed_again(scene: Scene) -> None:
    award = await paid(scene)
    recovery = await demanded(scene, award, 2_000 * YUAN)
    instruction = only(await scene.tell(verified(award, 10_000 * YUAN)), PaymentInstructed)
    with pytest.raises(Refusal, match="wrong_state"):
        await scene.order(WriteOffRecovery(recovery_id=recovery.recovery_id))
    await scene.tell(returned(instruction))

    await scene.order(CancelPayment(payment_id=instruction.payment_id))

    row = await the_recovery(scene)
    assert (row.reserved, row.received) == (0, 0)
    pool = await scene.pool()
    assert (pool.obligated, pool.disbursed) == (0, PAID)


async def test_without_the_policys_word_nothing_is_kept_back(scene: Scene) -> None:
    award = await paid(scene)
    await demanded(scene, award)
    other = only(await scene.tell(approved(10_000 * YUAN)), AwardIssued)

    assert only(await scene.tell(verified(other, 1_000 * YUAN)), ClaimPayable).netted == Money(0)


async def test_money_that_came_back_goes_to_who_waits(scene: Scene) -> None:
    await publish(scene, policy(version="n", envelope=Money(60_000 * YUAN)))
    award = await paid(scene)
    recovery = await demanded(scene, award)
    crowd = [approved(CAP_FEN, applicant=f"91440300000000{number:04d}", minute=number) for number in range(6)]
    waiting = [event for event in await scene.tell(*crowd) if isinstance(event, ApplicationWaitlisted)]
    assert len(waiting) == 6
    small = approved(6_000 * YUAN, applicant="914403000000009999", minute=-5)
    await scene.tell(small)

    said = await scene.tell(received(recovery, PAID))

    assert only(said, AwardIssued).application_id == small.application_id
