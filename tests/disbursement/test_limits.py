"""Every limit of an award (domain.md, rule 1), and cap groups that change while claims run."""

from datetime import date, timedelta
from typing import Any

import pytest

from contracts.common import Contract, Stack
from contracts.events import AwardIssued, AwardRefused
from contracts.money import Money
from disbursement import tables
from disbursement.orders import RevokeAward
from tests.disbursement.scenes import CAP_FEN, NOW, POOL, YUAN, Scene, approved, only, policy, publish

ONE, TWO, THREE = (f"9144030000000000{number:02d}" for number in (1, 2, 3))


def of_group(*members: str, amount: int = CAP_FEN, at: int = 0, **changes: Any) -> Any:
    """Return an approval of the first member, whose group was known ``at`` minutes after the start."""
    moment = NOW + timedelta(minutes=at)
    return approved(amount, applicant=members[0], cap_members=members, occurred_at=moment, **changes)


async def test_companies_of_one_group_share_the_cap(scene: Scene) -> None:
    said = await scene.tell_one_by_one(of_group(ONE, TWO), of_group(TWO, ONE, at=1))

    assert only(said, AwardIssued).applicant == ONE
    assert only(said, AwardRefused).reasons[0].code == "cap_exhausted"


async def test_what_a_company_got_before_it_joined_counts(scene: Scene) -> None:
    said = await scene.tell_one_by_one(of_group(ONE), of_group(TWO, amount=60_000 * YUAN), of_group(TWO, ONE, at=9))

    assert [event.awarded.amount for event in said if isinstance(event, AwardIssued)] == [CAP_FEN, 60_000 * YUAN]
    only(said, AwardRefused)


async def test_who_leaves_a_group_has_a_cap_of_its_own_again(scene: Scene) -> None:
    await scene.tell(of_group(ONE, TWO))

    said = await scene.tell(of_group(TWO, at=5))

    assert only(said, AwardIssued).awarded == Money(CAP_FEN)


async def test_an_assessment_from_before_the_group_was_known_evades_no_cap(scene: Scene) -> None:
    await scene.tell(of_group(ONE, TWO, at=5))

    said = await scene.tell(of_group(TWO, at=0))

    only(said, AwardRefused)


async def test_the_group_holds_inside_one_batch(scene: Scene) -> None:
    said = await scene.tell(
        of_group(ONE, TWO, THREE, amount=60_000 * YUAN),
        of_group(TWO, ONE, THREE, amount=60_000 * YUAN, at=1),
        of_group(THREE, ONE, TWO, amount=60_000 * YUAN, at=2),
    )

    awards = [event for event in said if isinstance(event, AwardIssued)]
    assert [event.awarded.amount // YUAN for event in awards] == [60_000, 40_000]
    only(said, AwardRefused)


async def test_what_is_revoked_frees_the_groups_cap(scene: Scene) -> None:
    award = only(await scene.tell(of_group(ONE, TWO)), AwardIssued)
    await scene.order(RevokeAward(award_id=award.award_id))

    assert only(await scene.tell(of_group(TWO, ONE, at=1)), AwardIssued).awarded == Money(CAP_FEN)


# --- the stack limit ---------------------------------------------------------------------------------------------


def on_contract(amount: int, *, limit: int, other: int = 0, applicant: str = ONE, **changes: Any) -> Any:
    """Return an approval for one contract, of which all support together may reach ``limit`` fen."""
    contract = Contract(
        number="C-1",
        provider=THREE,
        signed_on=date(2026, 1, 1),
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 12, 31),
        money=Money(10 * amount),
    )
    stack = Stack(limit=Money(limit), other=Money(other))
    return approved(amount, applicant=applicant, contract=contract, stack=stack, **changes)


@pytest.mark.parametrize(
    ("other", "awarded"), [(0, (50_000, "approved")), (10_000, (50_000, "approved")), (30_000, (40_000, "stack_limit"))]
)
async def test_what_others_give_is_taken_off(scene: Scene, other: int, awarded: tuple[int, str]) -> None:
    said = await scene.tell(on_contract(50_000 * YUAN, limit=70_000 * YUAN, other=other * YUAN))

    award = only(said, AwardIssued)
    assert (award.awarded.amount // YUAN, award.limited_by) == awarded


async def test_schemes_share_one_contracts_limit(scene: Scene) -> None:
    await publish(scene, policy(scheme="second", pool=POOL))
    first = on_contract(50_000 * YUAN, limit=70_000 * YUAN)
    second = on_contract(50_000 * YUAN, limit=70_000 * YUAN, scheme="second")
    third = on_contract(50_000 * YUAN, limit=70_000 * YUAN, applicant=TWO)

    said = await scene.tell(first, second, third)

    awards = [event for event in said if isinstance(event, AwardIssued)]
    assert [(event.awarded.amount // YUAN, event.limited_by) for event in awards] == [
        (50_000, "approved"),
        (20_000, "stack_limit"),
    ]
    assert only(said, AwardRefused).reasons[0].code == "stack_limit_reached"


async def test_what_is_given_back_may_be_given_again_for_the_contract(scene: Scene) -> None:
    award = only(await scene.tell(on_contract(50_000 * YUAN, limit=50_000 * YUAN)), AwardIssued)
    await scene.order(RevokeAward(award_id=award.award_id))

    said = await scene.tell(on_contract(50_000 * YUAN, limit=50_000 * YUAN, applicant=TWO))

    assert only(said, AwardIssued).awarded == Money(50_000 * YUAN)
    [stack] = await scene.rows(tables.stacks)
    assert stack.granted == 50_000 * YUAN
