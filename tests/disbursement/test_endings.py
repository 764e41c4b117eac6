"""Awards end: announced before they expire, their rest given back once, what was claimed in time still paid."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.events import (
    AwardClosed,
    AwardExpired,
    AwardExpiryAnnounced,
    AwardIssued,
    AwardRevoked,
    ClaimPayable,
    ClaimRefused,
    PaymentInstructed,
    TransferPosted,
)
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import tables
from disbursement.orders import CancelPayment, CloseAward, RevokeAward
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

UNTIL = datetime(2027, 6, 1, 4, tzinfo=NOW.tzinfo)
GRACE = UNTIL + timedelta(days=30)


async def issued(scene: Scene, amount: int = 60_000 * YUAN, **changes: Any) -> AwardIssued:
    return only(await scene.tell(approved(amount, **changes)), AwardIssued)


async def test_an_end_is_announced_once_and_then_comes(scene: Scene) -> None:
    await issued(scene)

    assert await scene.pass_time(UNTIL - timedelta(days=31)) == []
    [notice] = await scene.pass_time(UNTIL - timedelta(days=30))
    assert isinstance(notice, AwardExpiryAnnounced)
    assert (notice.rest, notice.valid_until) == (Money(60_000 * YUAN), UNTIL)
    assert await scene.pass_time(GRACE - timedelta(seconds=1)) == []
    said = await scene.pass_time(GRACE)
    assert only(said, AwardExpired).released == Money(60_000 * YUAN)
    transfer = only(said, TransferPosted)
    assert (transfer.source, transfer.to, transfer.reason) == ("committed", "available", "award.expired")
    pool = await scene.pool()
    assert (pool.available, pool.committed) == (pool.appropriated, 0)
    [cap] = await scene.rows(tables.caps)
    assert cap.granted == 0
    assert await scene.pass_time(GRACE + timedelta(days=999)) == []


async def test_without_notice_days_nothing_is_announced(scene: Scene) -> None:
    await publish(scene, policy(version="2", expiry_notice_days=0, expiry_grace_days=0))
    await issued(scene, policy_version="2")

    only(await scene.pass_time(UNTIL), AwardExpired)


async def test_a_claim_made_in_time_is_paid_in_the_days_of_grace(scene: Scene) -> None:
    award = await issued(scene)

    said = await scene.tell(verified(award, 1_000 * YUAN), now=UNTIL + timedelta(days=3))

    only(said, ClaimPayable)


async def test_a_claim_made_after_the_end_is_not(scene: Scene) -> None:
    award = await issued(scene)
    late = verified(award, 1_000 * YUAN, submitted_at=UNTIL + timedelta(seconds=1))

    assert (
        only(await scene.tell(late, now=UNTIL + timedelta(days=3)), ClaimRefused).reasons[0].code == "award_not_active"
    )


async def test_what_is_under_way_at_the_bank_is_paid_after_the_end(scene: Scene) -> None:
    award = await issued(scene)
    payment = only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)
    assert only(await scene.pass_time(GRACE), AwardExpired).released == Money(59_400 * YUAN)

    await scene.tell(settled(payment))

    pool = await scene.pool()
    assert (pool.committed, pool.obligated, pool.disbursed) == (0, 0, 600 * YUAN)


async def test_what_comes_back_after_the_end_is_free_again(scene: Scene) -> None:
    award = await issued(scene)
    payment = only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)
    await scene.pass_time(GRACE)
    await scene.tell(returned(payment))

    said = await scene.order(CancelPayment(payment_id=payment.payment_id))

    moves = [(event.source, event.to) for event in said if isinstance(event, TransferPosted)]
    assert moves == [("obligated", "committed"), ("committed", "available")]
    pool = await scene.pool()
    assert pool.available == pool.appropriated


async def test_an_award_without_a_rest_runs_out_of_nothing(scene: Scene) -> None:
    award = await issued(scene)
    await scene.tell(verified(award, 100_000 * YUAN))

    assert [event for event in await scene.pass_time(GRACE) if isinstance(event, AwardExpired)] == []
    [row] = await scene.rows(tables.awards)
    assert (row.status, row.next_step_at) == ("exhausted", None)


@pytest.mark.parametrize(
    ("subject", "kind", "status"), [(RevokeAward, AwardRevoked, "revoked"), (CloseAward, AwardClosed, "closed")]
)
async def test_an_award_is_ended_by_order(scene: Scene, subject: type[Any], kind: type[Any], status: str) -> None:
    award = await issued(scene)
    await scene.tell(verified(award, 1_000 * YUAN))

    said = await scene.order(subject(award_id=award.award_id))

    ended = only(said, kind)
    assert (ended.released, ended.reason) == (Money(59_400 * YUAN), "because it is so")
    [row] = await scene.rows(tables.awards)
    assert (row.status, row.committed, row.end_reason) == (status, 0, "because it is so")
    with pytest.raises(Refusal, match="award_not_active"):
        await scene.order(subject(award_id=award.award_id))
