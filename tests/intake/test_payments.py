"""What the portal sees of a claim's payment: held, handed to finance, sent back, tried again, netted, given up."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.events import (
    AwardExpired,
    AwardIssued,
    ClaimCancelled,
    ClaimInstructed,
    ClaimPaid,
    ClaimPayable,
    ClaimUnpaid,
    ClaimVerified,
    Event,
)
from contracts.money import Money
from contracts.policy import Clocks
from intake import tables
from tests.intake.scenes import REASON, Portal, fen, names_of, of_award, of_payment, payable_of, timeline, within

CLOCKS = Clocks()


class Case:
    """An award with one claim on it, and what disbursement says of its payment."""

    def __init__(self, portal: Portal, created: dict[str, Any], award: AwardIssued, payable: ClaimPayable) -> None:
        self.portal = portal
        self.created = created
        self.award = award
        self.payable = payable

    def unpaid(self) -> Event:
        return of_payment(self.payable, ClaimUnpaid, reason_code="AC04")

    def instructed(self, attempt: int) -> Event:
        return of_payment(self.payable, ClaimInstructed, attempt=attempt)

    def paid(self) -> Event:
        return of_payment(self.payable, ClaimPaid, paid=self.payable.payable, settled_at=datetime.now(UTC))

    def cancelled(self, rest: int) -> Event:
        return of_payment(self.payable, ClaimCancelled, money=self.payable.payable, rest=Money(rest), reasons=(REASON,))

    def verified(self) -> Event:
        now = datetime.now(UTC)
        return ClaimVerified(
            occurred_at=now, **names_of(self.payable), eligible=Money(50_000_000), reasons=(), submitted_at=now
        )

    async def state(self) -> dict[str, Any]:
        return await self.portal.state(self.created["application_id"])

    async def claim(self) -> dict[str, Any]:
        claim: dict[str, Any] = (await self.state())["claims"][0]
        return claim


async def claimed(portal: Portal, amount: int = 11_320_755, **details: Any) -> Case:
    """Return a claim that is about to be found payable; ``details`` change that event."""
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    payable = payable_of(claim, created, amount, 60_000_000 - amount)
    return Case(portal, created, award, replace(payable, **details))


async def test_a_payment_is_at_its_first_attempt_when_it_is_instructed(portal: Portal) -> None:
    case = await claimed(portal)
    await portal.hear(case.payable)

    claim = await case.claim()
    assert claim["payment"] == {
        "payment_id": str(case.payable.payment_id),
        "status": "instructed",
        "attempt": 1,
    }
    assert fen(claim, "payable", "netted") == [11_320_755, 0]


async def test_a_held_payment_waits_for_finance_and_is_then_instructed(portal: Portal) -> None:
    case = await claimed(portal, payment_status="held")
    await portal.hear(case.payable)
    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"]) == ("payable", "held")
    assert "attempt" not in claim["payment"]
    assert (claim["waiting_for"]["who"], within(claim["waiting_for"])) == ("finance", CLOCKS.release.within)
    assert "held" in claim["waiting_for"]["what"]["en"]

    await portal.hear(case.instructed(1))
    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"], claim["payment"]["attempt"]) == ("payable", "instructed", 1)
    assert within(claim["waiting_for"]) == CLOCKS.payment.within

    await portal.hear(case.paid())
    assert ((await case.claim())["status"], (await case.claim())["waiting_for"]) == ("paid", None)


async def test_a_returned_payment_is_instructed_again_and_may_be_returned_again(portal: Portal) -> None:
    case = await claimed(portal)
    await portal.hear(case.payable, case.unpaid())
    steps: list[tuple[Event, str, int, Any]] = [
        (case.instructed(2), "instructed", 2, CLOCKS.payment),
        (case.unpaid(), "returned", 2, CLOCKS.account),
        (case.instructed(3), "instructed", 3, CLOCKS.payment),
    ]
    for event, status, attempt, clock in steps:
        await portal.hear(event)
        claim = await case.claim()
        assert (claim["status"], claim["payment"]["status"], claim["payment"]["attempt"]) == (
            "payable",
            status,
            attempt,
        )
        assert within(claim["waiting_for"]) == clock.within
    assert "reason_code" not in claim["payment"]

    await portal.hear(case.paid())
    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"], claim["payment"]["attempt"]) == ("paid", "settled", 3)
    assert fen((await case.state())["award"], "claimed", "paid") == [11_320_755, 11_320_755]
    told = [line["type"].removeprefix("claim.") for line in await timeline(portal, case.created)][4:]
    assert told == ["payable", "unpaid", "instructed", "unpaid", "instructed", "paid"]


async def test_what_is_netted_is_shown_and_counts_as_paid(portal: Portal) -> None:
    case = await claimed(portal, netted=Money(11_320_755), payment_status="settled")
    await portal.hear(case.payable)
    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"], claim["waiting_for"]) == ("payable", "settled", None)
    assert fen(claim, "payable", "netted") == [11_320_755, 11_320_755]

    await portal.hear(case.paid())
    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"]) == ("paid", "settled")
    assert fen((await case.state())["award"], "paid") == [11_320_755]


async def test_a_payment_that_is_netted_in_part_shows_both_parts(portal: Portal) -> None:
    case = await claimed(portal, netted=Money(1_000_000))
    await portal.hear(case.payable)
    claim = await case.claim()
    assert (claim["payment"]["status"], fen(claim, "payable", "netted")) == ("instructed", [11_320_755, 1_000_000])


@pytest.mark.parametrize("verified_comes", [0, 1, 2, 3, 4])
async def test_the_end_is_the_same_whenever_the_verification_is_heard(portal: Portal, verified_comes: int) -> None:
    case = await claimed(portal, payment_status="held")
    events = [case.payable, case.instructed(1), case.unpaid(), case.cancelled(60_000_000)]
    events.insert(verified_comes, case.verified())
    for event in events:
        await portal.hear(event)

    claim = await case.claim()
    assert (claim["status"], claim["payment"]["status"], claim["waiting_for"]) == ("rejected", "cancelled", None)
    assert fen(claim, "eligible") == [50_000_000]


async def test_a_payment_that_was_given_up_leaves_its_money_to_the_award(portal: Portal) -> None:
    case = await claimed(portal)
    await portal.hear(case.payable, case.unpaid(), case.cancelled(60_000_000))

    state, claim = await case.state(), await case.claim()
    assert (claim["status"], claim["reasons"][0]["code"]) == ("rejected", REASON.code)
    assert claim["payment"] == {"payment_id": str(case.payable.payment_id), "status": "cancelled", "attempt": 1}
    assert (state["award"]["status"], fen(state["award"], "claimed", "paid", "rest")) == ("active", [0, 0, 60_000_000])
    assert (await timeline(portal, case.created))[-1]["type"] == "claim.cancelled"


async def test_the_invoices_of_a_payment_that_was_given_up_stay_counted(portal: Portal) -> None:
    case = await claimed(portal)
    await portal.hear(case.payable, case.unpaid(), case.cancelled(60_000_000))

    assert await portal.count(tables.invoices) == 1
    assert (await portal.claim(case.award.award_id)).json()["code"] == "invoice_already_claimed"
    assert (await portal.claim(case.award.award_id, "F-2")).status_code == 201


async def test_an_exhausted_award_becomes_active_when_its_payment_is_given_up(portal: Portal) -> None:
    case = await claimed(portal, 60_000_000)
    await portal.hear(case.payable)
    assert (await case.state())["award"]["status"] == "exhausted"
    assert (await portal.claim(case.award.award_id, "F-2")).json()["code"] == "award_exhausted"

    await portal.hear(case.unpaid(), case.cancelled(60_000_000))
    award = (await case.state())["award"]
    assert (award["status"], fen(award, "claimed", "rest")) == ("active", [0, 60_000_000])
    assert (await portal.claim(case.award.award_id, "F-2")).status_code == 201


async def test_an_award_that_has_ended_stays_so_and_gives_back_what_was_not_paid(portal: Portal) -> None:
    case = await claimed(portal)
    ended = of_award(case.award, AwardExpired, released=Money(48_679_245))
    await portal.hear(case.payable, case.unpaid(), ended, case.cancelled(0))
    award = (await case.state())["award"]
    assert (award["status"], fen(award, "claimed", "rest", "released")) == ("expired", [0, 0, 60_000_000])
