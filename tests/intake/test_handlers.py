"""What the portal sees after the others have decided, in whatever order their events arrive."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from contracts.codec import to_builtins
from contracts.common import Text
from contracts.events import (
    ApplicationRejected,
    AwardRefused,
    AwardRevoked,
    ClaimPaid,
    ClaimRefused,
    ClaimRejected,
    ReviewOpened,
)
from contracts.money import Money
from intake import tables
from kit.errors import PermanentError
from tests.intake.scenes import REASON, USCC, Portal, approval_of, award_of, names_of, payable_of


async def test_approval_and_award_converge_in_any_order(portal: Portal) -> None:
    for turned in (False, True):
        created = (await portal.apply()).json()
        events = [approval_of(created), award_of(created)]
        for event in reversed(events) if turned else events:
            await portal.hear(event)

        state = await portal.state(created["application_id"])
        assert (state["status"], state["decision"]["outcome"]) == ("awarded", "approved")
        assert state["award"]["rest"] == {"amount": 60_000_000, "currency": "CNY"}


async def test_a_rejection_is_shown_with_reasons_in_two_languages(portal: Portal) -> None:
    created = (await portal.apply()).json()
    approval = approval_of(created)
    fields = {name: getattr(approval, name) for name in ("application_id", "scheme", "applicant", "district")}
    event = ApplicationRejected(
        occurred_at=datetime.now(UTC),
        **fields,
        policy_version="1",
        provisional=False,
        reasons=(msgspec.structs.replace(REASON, outcome="not_met"),),
        submitted_at=approval.submitted_at,
    )
    await portal.hear(event)

    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]) == ("rejected", None)
    assert state["decision"]["reasons"] == list(to_builtins(event.reasons))
    assert set(state["decision"]["reasons"][0]["text"]) == {"zh-CN", "en"}


async def test_a_public_notice_is_a_wait_without_a_clock_of_its_own(portal: Portal) -> None:
    created = (await portal.apply()).json()
    for holder, status, who in (
        ("officer", "in_review", "officer"),
        ("public_notice", "public_notice", "public_notice"),
    ):
        event = ReviewOpened(
            occurred_at=datetime.now(UTC),
            application_id=UUID(created["application_id"]),
            scheme=created["scheme"],
            applicant=USCC,
            waiting_for=Text("等待", "Waits"),
            holder=holder,
        )
        await portal.hear(event)
        state = await portal.state(created["application_id"])
        assert (state["status"], state["waiting_for"]["who"]) == (status, who)
    assert (state["waiting_for"]["due"], state["waiting_for"]["overdue"]) == (None, False)


async def test_an_approved_application_without_an_award_shows_why(portal: Portal) -> None:
    created = (await portal.apply()).json()
    event = AwardRefused(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=USCC,
        reasons=(REASON,),
    )
    await portal.hear(approval_of(created), event)

    state = await portal.state(created["application_id"])
    assert (state["status"], state["decision"]["outcome"]) == ("rejected", "rejected")


async def test_a_register_that_is_away_is_named_as_what_it_waits_for(portal: Portal) -> None:
    created = (await portal.apply()).json()
    event = ReviewOpened(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=USCC,
        waiting_for=Text(zh="等待登记机关", en="Waits for the business register"),
        holder="registers",
    )
    await portal.hear(event)

    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]["who"]) == ("assessing", "registers")


async def test_a_claim_is_followed_to_its_payment_and_the_timeline_tells_it(portal: Portal) -> None:
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    payable = payable_of(claim, created, 11_320_755, 48_679_245)
    fields = names_of(payable)
    now = datetime.now(UTC)
    paid = ClaimPaid(occurred_at=now, **fields, payment_id=payable.payment_id, paid=payable.payable, settled_at=now)
    await portal.hear(payable, paid)

    state = await portal.state(created["application_id"])
    assert (state["claims"][0]["status"], state["claims"][0]["payment"]["status"]) == ("paid", "settled")
    assert [state["award"][name]["amount"] for name in ("claimed", "paid", "rest")] == [
        11_320_755,
        11_320_755,
        48_679_245,
    ]
    timeline = (await portal.client.get(f"/v1/applications/{created['application_id']}/timeline")).json()["items"]
    assert [line["type"] for line in timeline] == [
        "application.submitted",
        "application.approved",
        "award.issued",
        "claim.submitted",
        "claim.payable",
        "claim.paid",
    ]
    voucher = (await portal.voucher(award.voucher_code)).json()
    assert (voucher["status"], voucher["rest"]["amount"]) == ("active", 48_679_245)


async def test_a_rejected_claim_frees_its_invoices(portal: Portal) -> None:
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    payable = payable_of(claim, created, 1, 1)
    fields = names_of(payable)
    await portal.hear(ClaimRejected(occurred_at=datetime.now(UTC), **fields, reasons=(REASON,)))

    assert await portal.count(tables.invoices) == 0
    assert (await portal.claim(award.award_id)).status_code == 201


async def test_a_refused_claim_was_verified_and_its_invoices_stay_counted(portal: Portal) -> None:
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    fields = names_of(payable_of(claim, created, 1, 1))
    await portal.hear(ClaimRefused(occurred_at=datetime.now(UTC), **fields, reasons=(REASON,)))

    [shown] = (await portal.state(created["application_id"]))["claims"]
    assert (shown["status"], shown["reasons"][0]["code"]) == ("rejected", REASON.code)
    assert (await portal.claim(award.award_id)).json()["code"] == "invoice_already_claimed"


async def test_a_revoked_award_takes_no_claims(portal: Portal) -> None:
    created, award = await portal.awarded()
    event = AwardRevoked(
        occurred_at=datetime.now(UTC),
        application_id=award.application_id,
        scheme=award.scheme,
        applicant=award.applicant,
        award_id=award.award_id,
        released=Money(60_000_000),
    )
    await portal.hear(event)

    refused = await portal.claim(award.award_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "award_not_active")
    assert (await portal.state(created["application_id"]))["award"]["rest"]["amount"] == 0


async def test_an_event_of_an_unknown_application_is_an_error_never_dropped(portal: Portal) -> None:
    created = (await portal.apply()).json()
    stranger = msgspec.structs.replace(award_of(created), application_id=UUID(int=1))

    with pytest.raises(PermanentError):
        await portal.hear(stranger)
