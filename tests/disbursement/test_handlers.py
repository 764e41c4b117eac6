"""What disbursement does with events, on its real database."""

import msgspec
import pytest

from contracts.chain import GENESIS, transfer_hash
from contracts.events import (
    ApplicationWaitlisted,
    AwardIssued,
    AwardRefused,
    AwardRevoked,
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimUnpaid,
    PaymentInstructed,
    TransferPosted,
)
from contracts.money import Money
from disbursement import places, tables
from kit.errors import NotYetError
from tests.disbursement.scenes import (
    CAP_FEN,
    ENVELOPE_FEN,
    NOW,
    POOL_FEN,
    YUAN,
    Scene,
    approved,
    only,
    policy,
    publish,
    returned,
    settled,
    verified,
    withdrawn,
)


async def test_an_approval_becomes_an_award_and_money_is_committed(scene: Scene) -> None:
    said = await scene.tell(approved(60_000 * YUAN))

    award = only(said, AwardIssued)
    assert (award.awarded, award.limited_by) == (Money(60_000 * YUAN), "approved")
    assert str(award.voucher_code).startswith("TV-")
    assert award.valid_until == NOW.replace(year=2027)
    pool, envelope = await scene.pool(), await scene.envelope()
    assert (pool.available, pool.committed) == (POOL_FEN - 60_000 * YUAN, 60_000 * YUAN)
    assert (envelope.available, envelope.committed) == (ENVELOPE_FEN - 60_000 * YUAN, 60_000 * YUAN)


async def test_the_same_approval_again_moves_nothing(scene: Scene) -> None:
    approval = approved(60_000 * YUAN)
    await scene.tell(approval)

    assert await scene.tell(approval, approval) == []
    assert (await scene.pool()).committed == 60_000 * YUAN


async def test_policies_that_a_process_has_forgotten_are_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_MOST_KNOWN", 2)
    for version in ("one", "two", "three", "four"):
        await publish(scene, policy(version=version))
        said = await scene.tell(approved(YUAN, policy_version=version))
        assert only(said, AwardIssued).policy_version == version


async def test_the_cap_holds_inside_one_batch(scene: Scene) -> None:
    said = await scene.tell(approved(80_000 * YUAN), approved(80_000 * YUAN), approved(1 * YUAN))

    awards = [event for event in said if isinstance(event, AwardIssued)]
    assert [(award.awarded.amount, award.limited_by) for award in awards] == [
        (80_000 * YUAN, "approved"),
        (20_000 * YUAN, "cap"),
    ]
    assert only(said, AwardRefused).reasons[0].code == "cap_exhausted"


async def test_a_short_envelope_puts_later_applications_in_line(scene: Scene) -> None:
    approvals = [approved(CAP_FEN, applicant=f"9144030000000000{n:02d}", minute=n) for n in range(7)]

    said = await scene.tell(*approvals)

    assert len([event for event in said if isinstance(event, AwardIssued)]) == 5
    waiting = [event for event in said if isinstance(event, ApplicationWaitlisted)]
    assert [event.application_id for event in waiting] == [approval.application_id for approval in approvals[5:]]
    assert (await scene.envelope()).available == 0


async def test_nobody_overtakes_the_line(scene: Scene) -> None:
    big = [approved(90_000 * YUAN, applicant=f"9144030000000000{n:02d}", minute=n) for n in range(6)]
    await scene.tell(*big)
    small = approved(10_000 * YUAN, applicant="914403000000000099", minute=9)

    said = await scene.tell(small)

    assert only(said, ApplicationWaitlisted).application_id == small.application_id


async def test_freed_money_goes_to_the_line_in_order(scene: Scene) -> None:
    approvals = [approved(CAP_FEN, applicant=f"9144030000000000{n:02d}", minute=n) for n in range(7)]
    await scene.tell(*approvals)

    said = await scene.tell(withdrawn(approvals[0]))

    assert only(said, AwardRevoked).released == Money(CAP_FEN)
    assert only(said, AwardIssued).application_id == approvals[5].application_id
    assert (await scene.pool()).committed == ENVELOPE_FEN


async def test_a_withdrawal_before_the_approval_prevents_the_award(scene: Scene) -> None:
    approval = approved(CAP_FEN)
    await scene.tell(withdrawn(approval))

    said = await scene.tell(approval)

    assert only(said, AwardRefused).reasons[0].code == "withdrawn"
    assert (await scene.pool()).committed == 0


async def test_a_part_is_awarded_where_the_policy_says_so(scene: Scene) -> None:
    await publish(scene, policy(version="2", waitlist="partial"))
    approvals = [
        approved(90_000 * YUAN, applicant=f"9144030000000000{n:02d}", minute=n, policy_version="2") for n in range(7)
    ]

    said = await scene.tell(*approvals)

    awards = [event for event in said if isinstance(event, AwardIssued)]
    assert (awards[-1].awarded.amount, awards[-1].limited_by) == (50_000 * YUAN, "envelope")
    assert (await scene.envelope()).available == 0
    only(said, ApplicationWaitlisted)


async def test_an_approval_waits_for_its_policy(scene: Scene) -> None:
    with pytest.raises(NotYetError):
        await scene.tell(approved(1 * YUAN, policy_version="9"))


async def test_a_claim_pays_the_rate_and_instructs_once(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    claim = verified(award, 10_001)

    said = await scene.tell(claim, claim)

    payable, instruction = only(said, ClaimPayable), only(said, PaymentInstructed)
    assert payable.payable == instruction.money == Money(6_000)  # 60 % of 10,001 fen is 6,000.6: down, to the fen
    assert payable.rest == Money(60_000 * YUAN - 6_000)
    assert len(instruction.end_to_end_id) <= 35
    assert await scene.tell(claim) == []


async def test_claims_that_race_never_exceed_the_award(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)

    said = await scene.tell(*[verified(award, 70_000 * YUAN) for _ in range(3)])

    paid = [(event.payable.amount, event.limited_by) for event in said if isinstance(event, ClaimPayable)]
    assert paid == [(42_000 * YUAN, "rate"), (18_000 * YUAN, "rest")]
    assert only(said, ClaimRefused).reasons[0].code == "award_rest_exhausted"


async def test_a_settled_payment_disburses_once_whatever_is_reported_after(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    payment = only(await scene.tell(verified(award, 100_000 * YUAN)), PaymentInstructed)

    said = await scene.tell(settled(payment), settled(payment), returned(payment))

    assert only(said, ClaimPaid).paid == Money(60_000 * YUAN)
    pool = await scene.pool()
    assert (pool.committed, pool.obligated, pool.disbursed) == (0, 0, 60_000 * YUAN)
    assert sorted(row.effect for row in await scene.rows(tables.reports)) == ["discrepancy", "duplicate", "moved"]


async def test_a_report_of_another_amount_or_payment_is_kept_and_moves_nothing(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    payment = only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)
    stranger = settled(msgspec.structs.replace(payment, payment_id=award.award_id))

    said = await scene.tell(settled(payment, amount=1), stranger)

    assert said == []
    assert [row.effect for row in await scene.rows(tables.reports)] == ["discrepancy", "discrepancy"]
    assert (await scene.pool()).disbursed == 0


async def test_a_returned_payment_stays_obligated_and_is_told(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    payment = only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)

    said = await scene.tell(returned(payment))

    assert only(said, ClaimUnpaid).reason_code == "AC04"
    assert (await scene.pool()).obligated == 600 * YUAN


async def test_transfers_form_a_chain_that_json_and_sha256_can_check(scene: Scene) -> None:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    said = await scene.tell(verified(award, 10 * YUAN))
    only(said, TransferPosted)

    documents = [msgspec.json.decode(row.document) for row in await scene.rows(tables.transfers)]
    previous = GENESIS
    for number, document in enumerate(documents, 1):
        assert (document["version"], document["previous_hash"]) == (number, previous)
        assert transfer_hash(document) == document["hash"]
        previous = document["hash"]
    assert (await scene.pool()).hash == previous
