"""Who waits for money is served in order: within a scheme, over the schemes of a pool, by whatever frees money."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.events import ApplicationWaitlisted, AwardIssued, AwardRefused, Event
from contracts.money import Money
from disbursement import lines, tables
from disbursement.orders import AnySubject, CloseAward, RevokeAward, SetAppropriation, SetEnvelope
from tests.disbursement.scenes import (
    CAP_FEN,
    ENVELOPE_FEN,
    NOW,
    POOL,
    POOL_FEN,
    SCHEME,
    YUAN,
    Scene,
    approved,
    only,
    policy,
    publish,
    withdrawn,
)


def crowd(count: int, *, amount: int = CAP_FEN, **changes: Any) -> list[Any]:
    """Return approvals of as many companies, submitted a minute apart."""
    return [
        approved(amount, applicant=f"91440300000000{number:04d}", minute=number, **changes) for number in range(count)
    ]


def served(said: list[Event]) -> list[Any]:
    return [event.application_id for event in said if isinstance(event, AwardIssued)]


async def test_a_raised_envelope_goes_to_the_line(scene: Scene) -> None:
    approvals = crowd(8)
    await scene.tell(*approvals)

    said = await scene.order(SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(ENVELOPE_FEN + 2 * CAP_FEN)))

    assert served(said) == [each.application_id for each in approvals[5:7]]
    [line] = await scene.rows(tables.lines)
    assert (line.waiting, line.short_of) == (1, "envelope")


@pytest.mark.parametrize("ending", [RevokeAward, CloseAward])
async def test_what_an_ended_award_frees_goes_to_the_line(scene: Scene, ending: type[Any]) -> None:
    approvals = crowd(6)
    first = next(event for event in await scene.tell(*approvals) if isinstance(event, AwardIssued))

    said = await scene.order(ending(award_id=first.award_id))

    assert served(said) == [approvals[5].application_id]


async def test_what_expires_goes_to_the_line(scene: Scene) -> None:
    approvals = crowd(6)
    await scene.tell(*approvals)

    said = await scene.pass_time(NOW + timedelta(days=365 + 31))

    assert served(said)[:1] == [approvals[5].application_id]
    assert (await scene.pool()).committed == CAP_FEN


async def test_who_leaves_the_line_makes_room_for_the_next(scene: Scene) -> None:
    await publish(scene, policy(version="2", cap=None))
    big = approved(450_000 * YUAN, minute=0, policy_version="2")
    bigger = approved(60_000 * YUAN, applicant="914403000000000002", minute=1, policy_version="2")
    small = approved(50_000 * YUAN, applicant="914403000000000003", minute=2, policy_version="2")
    await scene.tell(big, bigger, small)

    said = await scene.tell(withdrawn(bigger))

    assert served(said) == [small.application_id]


async def two_schemes(scene: Scene) -> None:
    """Two schemes without an envelope on a pool of CNY 1,000,000."""
    for scheme in ("a-scheme", "b-scheme"):
        await publish(scene, policy(scheme=scheme, envelope=None, cap=None))


async def test_nobody_draws_on_a_pool_that_others_wait_for(scene: Scene) -> None:
    await two_schemes(scene)
    taker = approved(900_000 * YUAN, scheme="a-scheme")
    waiter = approved(200_000 * YUAN, scheme="a-scheme", applicant="914403000000000002", minute=1)
    newcomer = approved(50_000 * YUAN, scheme="b-scheme", applicant="914403000000000003", minute=2)

    said = await scene.tell(taker, waiter, newcomer)

    waiting = [event.application_id for event in said if isinstance(event, ApplicationWaitlisted)]
    assert (served(said), waiting) == ([taker.application_id], [waiter.application_id, newcomer.application_id])


async def test_freed_money_of_a_pool_goes_to_whoever_submitted_first_in_any_scheme(scene: Scene) -> None:
    await two_schemes(scene)
    taker = approved(POOL_FEN, scheme="a-scheme")
    late = approved(50_000 * YUAN, scheme="a-scheme", applicant="914403000000000002", minute=9)
    early = approved(960_000 * YUAN, scheme="b-scheme", applicant="914403000000000003", minute=3)
    await scene.tell(taker, late, early)

    said = await scene.tell(withdrawn(taker))

    assert served(said) == [early.application_id]
    assert (await scene.pool()).available == 40_000 * YUAN


async def test_a_line_that_is_short_of_its_envelope_holds_up_no_other_scheme(scene: Scene) -> None:
    await publish(scene, policy(scheme="b-scheme", envelope=None))
    await scene.tell(*crowd(6))
    other = approved(10_000 * YUAN, scheme="b-scheme", applicant="914403000000000777", minute=9)

    assert served(await scene.tell(other)) == [other.application_id]


async def test_a_raised_pool_goes_to_the_line(scene: Scene) -> None:
    await two_schemes(scene)
    first, second = (
        approved(POOL_FEN, scheme="a-scheme", applicant=f"91440300000000000{number}", minute=number)
        for number in (1, 2)
    )
    await scene.tell(first, second)

    subject: AnySubject = SetAppropriation(pool=POOL, money=Money(2 * POOL_FEN))
    assert served(await scene.order(subject)) == [second.application_id]
    pool = await scene.pool()
    assert (pool.appropriated, pool.available) == (2 * POOL_FEN, 0)


async def test_a_line_longer_than_what_is_loaded_is_served_to_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from disbursement import loading  # noqa: PLC0415  # its limit is this test's

    monkeypatch.setattr(loading, "HEAD_LENGTH", 3)
    approvals = crowd(15)
    await scene.tell(*approvals)
    assert lines.HEAD_LENGTH == 500

    said = await scene.order(SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(2 * ENVELOPE_FEN)))
    assert len(served(said)) == 3
    said += await scene.pass_time(NOW)

    assert served(said) == [each.application_id for each in approvals[5:10]]
    [line] = await scene.rows(tables.lines)
    assert (line.waiting, line.wake) == (5, False)


async def test_who_waits_is_awarded_under_the_group_known_then(scene: Scene) -> None:
    one, two = "914403000000000801", "914403000000000802"
    await scene.tell(*crowd(5))
    waiter = approved(CAP_FEN, applicant=two, minute=50)
    await scene.tell(waiter)
    await scene.tell(
        approved(CAP_FEN, applicant=one, cap_members=(one, two), minute=60, occurred_at=NOW + timedelta(hours=1))
    )

    said = await scene.order(SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(ENVELOPE_FEN + 2 * CAP_FEN)))

    assert served(said) == [waiter.application_id]
    assert only(said, AwardRefused).reasons[0].code == "cap_exhausted"  # the group has used its cap by then
