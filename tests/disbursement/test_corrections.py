"""An approval is decided anew: the award follows by the difference, within every limit; what was paid comes back."""

from typing import Any

import msgspec
import pytest

from contracts.common import Text
from contracts.events import (
    ApplicationApproved,
    ApplicationReassessed,
    ApplicationWaitlisted,
    AwardChanged,
    AwardIssued,
    AwardRefused,
    AwardRevoked,
    ClaimCancelled,
    PaymentInstructed,
    RecoveryDemanded,
    TransferPosted,
)
from contracts.money import Money
from disbursement import tables
from disbursement.orders import CancelPayment, DemandRecovery, WriteOffRecovery
from kit.errors import PermanentError
from tests.disbursement.scenes import (
    CAP_FEN,
    ENVELOPE_FEN,
    YUAN,
    Scene,
    approved,
    only,
    received,
    returned,
    settled,
    verified,
)

BECAUSE = Text("合同金额核减", "The contract's amount was corrected")
OTHER = "91440300MA5GYYYY1A"


def reassessed(approval: ApplicationApproved, amount: int, **changes: Any) -> ApplicationReassessed:
    """Return the new decision on an application: ``amount`` fen stand from now on, zero where it is rejected."""
    fields = msgspec.structs.asdict(approval) | {
        "approved": Money(amount),
        "outcome": "approved" if amount else "rejected",
        "because": BECAUSE,
        "cap_members": (approval.applicant,),
    }
    return ApplicationReassessed(**fields | changes)


async def awarded(scene: Scene, amount: int, **changes: Any) -> tuple[ApplicationApproved, AwardIssued]:
    approval = approved(amount, **changes)
    return approval, only(await scene.tell(approval), AwardIssued)


async def the_award(scene: Scene) -> Any:
    [row] = await scene.rows(tables.awards)
    return row


def moves(said: list[Any]) -> list[tuple[str, str, int]]:
    return [(one.source, one.to, one.money.amount) for one in said if isinstance(one, TransferPosted)]


async def test_more_is_added_to_a_running_award(scene: Scene) -> None:
    approval, award = await awarded(scene, 50_000 * YUAN)
    said = await scene.tell(reassessed(approval, 80_000 * YUAN, rate=8000))
    changed = only(said, AwardChanged)
    assert (changed.award_id, changed.added, changed.rest) == (
        award.award_id,
        Money(30_000 * YUAN),
        Money(80_000 * YUAN),
    )
    assert moves(said) == [("available", "committed", 30_000 * YUAN)]
    row = await the_award(scene)
    assert (row.awarded, row.committed, row.approved, row.corrected_to, row.rate) == (
        80_000 * YUAN,
        80_000 * YUAN,
        80_000 * YUAN,
        80_000 * YUAN,
        8000,
    )
    [cap] = await scene.rows(tables.caps)
    assert cap.granted == 80_000 * YUAN
    assert (await scene.envelope()).committed == 80_000 * YUAN


async def test_what_is_added_stays_within_the_cap(scene: Scene) -> None:
    approval, _ = await awarded(scene, 50_000 * YUAN)
    await awarded(scene, 30_000 * YUAN)
    changed = only(await scene.tell(reassessed(approval, 90_000 * YUAN)), AwardChanged)
    assert (changed.added, changed.limited_by) == (Money(20_000 * YUAN), "cap")
    again = only(await scene.tell(reassessed(approval, 100_000 * YUAN)), AwardChanged)
    assert again.added == Money(0)
    assert sum(cap.granted for cap in await scene.rows(tables.caps)) == CAP_FEN


async def test_what_is_added_overtakes_nobody_who_waits(scene: Scene) -> None:
    approval, _ = await awarded(scene, 50_000 * YUAN)
    for number in range(4):
        await awarded(scene, CAP_FEN, applicant=f"91440300MA5{number:06d}X")
    said = await scene.tell(approved(CAP_FEN, applicant=OTHER))
    assert only(said, ApplicationWaitlisted).short_of == "envelope"
    assert only(await scene.tell(reassessed(approval, 60_000 * YUAN)), AwardChanged).added == Money(0)
    assert (await scene.envelope()).available == ENVELOPE_FEN - 450_000 * YUAN


async def test_less_frees_what_was_not_claimed_and_serves_who_waits(scene: Scene) -> None:
    approval, _ = await awarded(scene, 100_000 * YUAN)
    for number in range(4):
        await awarded(scene, CAP_FEN, applicant=f"91440300MA5{number:06d}X")
    await scene.tell(approved(40_000 * YUAN, applicant=OTHER))
    said = await scene.tell(reassessed(approval, 60_000 * YUAN))
    changed = only(said, AwardChanged)
    assert (changed.released, changed.rest, changed.to_recover) == (
        Money(40_000 * YUAN),
        Money(60_000 * YUAN),
        Money(0),
    )
    assert only(said, AwardIssued).awarded == Money(40_000 * YUAN)  # to the one who waited
    assert moves(said) == [("committed", "available", 40_000 * YUAN), ("available", "committed", 40_000 * YUAN)]


async def test_what_was_paid_above_it_is_demanded_back(scene: Scene) -> None:
    approval, award = await awarded(scene, 60_000 * YUAN)
    await scene.tell(settled(only(await scene.tell(verified(award, 75_000 * YUAN)), PaymentInstructed)))  # 45,000
    said = await scene.tell(reassessed(approval, 20_000 * YUAN))
    demand, changed = only(said, RecoveryDemanded), only(said, AwardChanged)
    assert (demand.money, changed.released) == (Money(25_000 * YUAN), Money(15_000 * YUAN))
    assert (await the_award(scene)).status == "exhausted"

    said = await scene.tell(received(demand, 25_000 * YUAN))
    row = await the_award(scene)
    assert (row.disbursed, row.awarded - row.released, row.excess) == (20_000 * YUAN, 20_000 * YUAN, 0)
    assert (await scene.pool()).disbursed == 20_000 * YUAN
    assert [
        one for one in await scene.tell(reassessed(approval, 20_000 * YUAN)) if isinstance(one, RecoveryDemanded)
    ] == []


async def test_what_is_on_its_way_to_the_bank_is_demanded_once_it_is_paid(scene: Scene) -> None:
    approval, award = await awarded(scene, 60_000 * YUAN)
    payment = only(await scene.tell(verified(award, 100_000 * YUAN)), PaymentInstructed)  # all of it
    said = await scene.tell(reassessed(approval, 10_000 * YUAN))
    assert only(said, AwardChanged).to_recover == Money(50_000 * YUAN)
    assert not [one for one in said if isinstance(one, RecoveryDemanded)]

    said = await scene.tell(settled(payment))
    assert only(said, RecoveryDemanded).money == Money(50_000 * YUAN)
    assert (await the_award(scene)).excess == 0


async def test_what_the_bank_returns_is_freed_instead(scene: Scene) -> None:
    approval, award = await awarded(scene, 60_000 * YUAN)
    payment = only(await scene.tell(verified(award, 100_000 * YUAN)), PaymentInstructed)
    await scene.tell(reassessed(approval, 10_000 * YUAN), returned(payment))
    said = await scene.order(CancelPayment(payment_id=payment.payment_id))
    assert only(said, ClaimCancelled).rest == Money(10_000 * YUAN)
    assert only(said, AwardChanged).released == Money(50_000 * YUAN)
    row = await the_award(scene)
    assert (row.status, row.committed, row.excess, row.obligated) == ("active", 10_000 * YUAN, 0, 0)
    assert row.next_step_at is not None
    pool = await scene.pool()
    assert (pool.committed, pool.obligated, pool.disbursed) == (10_000 * YUAN, 0, 0)


async def test_a_rejection_revokes_the_award_and_demands_all_that_was_paid(scene: Scene) -> None:
    approval, award = await awarded(scene, 60_000 * YUAN)
    await scene.tell(settled(only(await scene.tell(verified(award, 50_000 * YUAN)), PaymentInstructed)))
    second = only(await scene.tell(verified(award, 20_000 * YUAN)), PaymentInstructed)
    said = await scene.tell(reassessed(approval, 0, cap_members=()))
    revoked = only(said, AwardRevoked)
    assert (revoked.released, revoked.reason) == (Money(18_000 * YUAN), BECAUSE.zh)
    assert only(said, RecoveryDemanded).money == Money(30_000 * YUAN)

    await scene.tell(returned(second))
    await scene.order(CancelPayment(payment_id=second.payment_id))
    row = await the_award(scene)
    assert (row.committed, row.obligated, row.excess, row.disbursed) == (0, 0, 0, 30_000 * YUAN)
    assert (await scene.pool()).available + 30_000 * YUAN == 1_000_000 * YUAN


async def test_what_was_demanded_before_is_not_demanded_twice(scene: Scene) -> None:
    approval, award = await awarded(scene, 60_000 * YUAN)
    await scene.tell(settled(only(await scene.tell(verified(award, 100_000 * YUAN)), PaymentInstructed)))
    first = only(
        await scene.order(DemandRecovery(award_id=award.award_id, money=Money(20_000 * YUAN))), RecoveryDemanded
    )
    said = await scene.tell(reassessed(approval, 30_000 * YUAN))
    assert only(said, RecoveryDemanded).money == Money(10_000 * YUAN)
    await scene.order(WriteOffRecovery(recovery_id=first.recovery_id))
    said = await scene.tell(reassessed(approval, 30_000 * YUAN))
    assert not [one for one in said if isinstance(one, RecoveryDemanded)]  # what was given up is given up


async def test_who_waits_goes_on_with_the_new_sum_or_leaves(scene: Scene) -> None:
    for number in range(5):
        await awarded(scene, CAP_FEN, applicant=f"91440300MA5{number:06d}X")
    first, second = approved(CAP_FEN, applicant=OTHER), approved(CAP_FEN, applicant="91440300MA5FXXXX0T", minute=1)
    await scene.tell(first, second)
    said = await scene.tell(reassessed(first, 70_000 * YUAN))
    assert only(said, ApplicationWaitlisted).approved == Money(70_000 * YUAN)
    said = await scene.tell(reassessed(second, 0))
    assert only(said, AwardRefused).reasons[0].code == "rejected_on_reassessment"
    [line] = await scene.rows(tables.lines)
    assert line.waiting == 1


async def test_the_same_in_one_batch_as_one_by_one(scene: Scene) -> None:
    approval = approved(60_000 * YUAN)
    said = await scene.tell(approval, reassessed(approval, 40_000 * YUAN), reassessed(approval, 50_000 * YUAN))
    assert [one.added.amount - one.released.amount for one in said if isinstance(one, AwardChanged)] == [
        -20_000 * YUAN,
        10_000 * YUAN,
    ]
    row = await the_award(scene)
    assert (row.committed, row.awarded, row.released) == (50_000 * YUAN, 70_000 * YUAN, 20_000 * YUAN)
    pool = await scene.pool()
    assert (pool.available, pool.committed) == (950_000 * YUAN, 50_000 * YUAN)


async def test_what_was_never_approved_is_not_decided_anew(scene: Scene) -> None:
    with pytest.raises(PermanentError, match="its approval never came"):
        await scene.tell(reassessed(approved(YUAN), 2 * YUAN))
