"""An accreditation is an award without money: no pool, no limit, no transfer, and an end like any other."""

from datetime import datetime, timedelta
from typing import Any

from contracts.events import AwardExpired, AwardIssued, AwardRevoked, ClaimRefused, TransferPosted
from contracts.money import Money
from disbursement import tables
from tests.disbursement.scenes import NOW, YUAN, Scene, approved, only, policy, publish, verified, withdrawn

SCHEME = "test-community"
POLICY = policy(scheme=SCHEME, pool=None, kind="accreditation", cap=None, envelope=None, waitlist="whole")
UNTIL = datetime(2027, 6, 1, 4, tzinfo=NOW.tzinfo)


def community(**changes: Any) -> Any:
    return approved(0, scheme=SCHEME, pool=None, kind="accreditation", **changes)


async def accredited(scene: Scene) -> tuple[Any, AwardIssued]:
    await publish(scene, POLICY)
    event = community()
    return event, only(await scene.tell(event), AwardIssued)


async def test_it_is_issued_for_nothing_and_moves_nothing(scene: Scene) -> None:
    before = await scene.pool()
    await publish(scene, POLICY)
    said = await scene.tell(community())
    award = only(said, AwardIssued)
    assert (award.pool, award.kind, award.voucher_code) == (None, "accreditation", None)
    assert (award.approved, award.awarded, award.limited_by) == (Money(0), Money(0), "approved")
    assert not [event for event in said if isinstance(event, TransferPosted)]
    assert await scene.pool() == before
    assert await scene.rows(tables.caps) == []


async def test_it_is_issued_beside_awards_of_money_in_one_batch(scene: Scene) -> None:
    await publish(scene, POLICY)
    said = await scene.tell(
        approved(60_000 * YUAN), community(), approved(10_000 * YUAN, applicant="91440300MA5GYYYY1A")
    )
    assert [event.awarded.amount for event in said if isinstance(event, AwardIssued)] == [6_000_000, 0, 1_000_000]


async def test_it_expires(scene: Scene) -> None:
    await accredited(scene)
    said = await scene.pass_time(UNTIL + timedelta(days=30))
    assert only(said, AwardExpired).released == Money(0)


async def test_it_is_taken_back_when_its_application_is_withdrawn(scene: Scene) -> None:
    event, _ = await accredited(scene)
    assert only(await scene.tell(withdrawn(event)), AwardRevoked).released == Money(0)


async def test_nothing_can_be_claimed_on_it(scene: Scene) -> None:
    _, award = await accredited(scene)
    assert only(await scene.tell(verified(award, 100 * YUAN)), ClaimRefused)
