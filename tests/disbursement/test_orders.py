"""Orders of people: kept with who, when and why; the weighty ones take two; nothing goes below what is promised."""

from uuid import UUID, uuid4

import pytest

from contracts.events import ApplicationWaitlisted, AwardIssued, EnvelopeSet, TransferPosted
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import tables
from disbursement.appropriations import hold
from disbursement.commands import Decide, Propose
from disbursement.orders import (
    AnySubject,
    CancelPayment,
    CloseAward,
    DemandRecovery,
    ReleasePayment,
    ResumePool,
    RevokeAward,
    SetAppropriation,
    SetEnvelope,
    WriteOffRecovery,
)
from tests.disbursement.scenes import ENVELOPE_FEN, NOW, POOL, POOL_FEN, SCHEME, YUAN, Scene, approved, only

AWARDED = 60_000 * YUAN


def propose(subject: AnySubject, by: str = "first") -> Propose:
    return Propose(key=None, traceparent=None, by=by, subject=subject, reason="because it is so")


async def test_an_order_is_kept_with_both_persons_and_the_reason(scene: Scene) -> None:
    await scene.order(SetAppropriation(pool=POOL, money=Money(POOL_FEN + 5)))

    [row] = await scene.rows(tables.orders)
    assert (row.kind, row.proposed_by, row.decided_by, row.status, row.reason) == (
        "appropriation.set",
        "first",
        "second",
        "executed",
        "because it is so",
    )


async def test_nothing_happens_before_the_second_person(scene: Scene) -> None:
    said = await scene.order(SetAppropriation(pool=POOL, money=Money(POOL_FEN + 5)), second=None)

    assert said == []
    assert (await scene.pool()).appropriated == POOL_FEN


async def test_an_order_is_decided_once(scene: Scene) -> None:
    await scene.order(SetAppropriation(pool=POOL, money=Money(POOL_FEN + 5)))
    [row] = await scene.rows(tables.orders)

    for approve in (True, False):
        again = Decide(key=None, traceparent=None, by="third", order_id=row.order_id, approve=approve, reason="no")
        with pytest.raises(Refusal, match="wrong_state"):
            await scene.command(again)


async def test_a_rejected_order_stays_undone(scene: Scene) -> None:
    await scene.order(SetAppropriation(pool=POOL, money=Money(POOL_FEN + 5)), second=None)
    [row] = await scene.rows(tables.orders)

    reject = Decide(key=None, traceparent=None, by="second", order_id=row.order_id, approve=False, reason="too much")
    await scene.command(reject)

    [row] = await scene.rows(tables.orders)
    assert (row.status, row.decided_by, row.decision_reason) == ("rejected", "second", "too much")
    assert (await scene.pool()).appropriated == POOL_FEN


@pytest.mark.parametrize(
    ("amount", "move"),
    [
        (POOL_FEN + 7, ("appropriated", "available", 7)),
        (POOL_FEN - 7, ("available", "appropriated", 7)),
        (AWARDED, ("available", "appropriated", POOL_FEN - AWARDED)),
    ],
)
async def test_a_pool_is_raised_and_lowered_by_a_transfer(
    scene: Scene, amount: int, move: tuple[str, str, int]
) -> None:
    await scene.tell(approved(AWARDED))

    said = await scene.order(SetAppropriation(pool=POOL, money=Money(amount)))

    transfer = only(said, TransferPosted)
    assert (transfer.source, transfer.to, transfer.money.amount) == move
    pool = await scene.pool()
    assert (pool.appropriated, pool.available) == (amount, amount - AWARDED)


async def test_an_envelope_is_set_and_no_money_moves(scene: Scene) -> None:
    said = await scene.order(SetEnvelope(scheme=SCHEME, fiscal_year=2027, money=Money(5 * YUAN)))

    told = [event.appropriated.amount for event in said if isinstance(event, EnvelopeSet)]
    assert told == [ENVELOPE_FEN, 5 * YUAN]
    assert [event for event in said if isinstance(event, TransferPosted)] == []


@pytest.mark.parametrize(
    "subject",
    [
        SetAppropriation(pool=POOL, money=Money(AWARDED - 1)),
        SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(AWARDED - 1)),
    ],
)
async def test_nothing_is_lowered_below_what_is_promised(scene: Scene, subject: AnySubject) -> None:
    await scene.tell(approved(AWARDED))

    with pytest.raises(Refusal, match="below_committed"):
        await scene.order(subject)
    assert await scene.rows(tables.orders) == []


async def test_what_was_promised_meanwhile_counts_at_the_approval(scene: Scene) -> None:
    await scene.order(SetAppropriation(pool=POOL, money=Money(AWARDED)), second=None)
    [row] = await scene.rows(tables.orders)
    await scene.tell(approved(AWARDED), approved(1 * YUAN, applicant="914403000000000002"))

    with pytest.raises(Refusal, match="below_committed"):
        await scene.command(Decide(key=None, traceparent=None, by="second", order_id=row.order_id, approve=True))
    [row] = await scene.rows(tables.orders)
    assert row.status == "proposed"


ID: UUID = uuid4()


@pytest.mark.parametrize(
    "subject",
    [
        SetAppropriation(pool="none", money=Money(1)),
        SetEnvelope(scheme="none", fiscal_year=2026, money=Money(1)),
        ResumePool(pool="none"),
        RevokeAward(award_id=ID),
        CloseAward(award_id=ID),
        DemandRecovery(award_id=ID, money=Money(1)),
        WriteOffRecovery(recovery_id=ID),
        ReleasePayment(payment_id=ID),
        CancelPayment(payment_id=ID),
    ],
)
async def test_what_is_not_there_is_said_to_be_not_there(scene: Scene, subject: AnySubject) -> None:
    with pytest.raises(Refusal, match="not_found") as refused:
        await scene.command(propose(subject))
    assert refused.value.status == 404


async def test_a_refused_order_fails_no_neighbour(scene: Scene) -> None:
    from disbursement.commands import apply  # noqa: PLC0415  # a group of two, where the scene sends one

    good, bad = SetAppropriation(pool=POOL, money=Money(POOL_FEN + 5)), CloseAward(award_id=ID)
    outcomes, said = await apply(scene.connection, [propose(bad), propose(good)], NOW)
    await said.make_writes()

    assert isinstance(outcomes[0], Refusal)
    assert [row.kind for row in await scene.rows(tables.orders)] == ["appropriation.set"]


async def test_a_pool_on_hold_awards_nothing_until_two_persons_resume_it(scene: Scene) -> None:
    from disbursement import loading, store  # noqa: PLC0415  # as the reconciliation does it
    from disbursement.needs import Needs  # noqa: PLC0415

    book = await loading.load(scene.connection, Needs(pools={POOL}), NOW)
    hold(book, book.pools[POOL], "entries: 5 fen")
    await store.store_now(scene.connection, book)
    approval = approved(AWARDED)
    assert only(await scene.tell(approval), ApplicationWaitlisted).on_hold

    said = await scene.order(ResumePool(pool=POOL))

    assert only(said, AwardIssued).application_id == approval.application_id
    with pytest.raises(Refusal, match="wrong_state"):
        await scene.order(ResumePool(pool=POOL))
