"""What the portal sees of an award that is announced to expire, that ends, and of which money is asked back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from contracts.common import Text
from contracts.events import (
    ApplicationReassessed,
    ApplicationWaitlisted,
    AwardChanged,
    AwardClosed,
    AwardExpired,
    AwardExpiryAnnounced,
    AwardIssued,
    AwardRecovered,
    AwardRevoked,
    ClaimPaid,
    Event,
    RecoveryClosed,
    RecoveryDemanded,
)
from contracts.money import Money
from contracts.policy import Clocks
from kit.identifiers import uuid7
from tests.intake.scenes import (
    USCC,
    Portal,
    approval_of,
    award_of,
    fen,
    let_pass,
    of_award,
    of_payment,
    payable_of,
    scan,
    timeline,
    within,
)

CLOCKS = Clocks()


def waitlisted(created: dict[str, Any], *, on_hold: bool) -> ApplicationWaitlisted:
    return ApplicationWaitlisted(
        occurred_at=datetime.now(UTC),
        application_id=UUID(created["application_id"]),
        scheme=created["scheme"],
        applicant=USCC,
        pool="test-pool",
        approved=Money(60_000_000),
        short_of="pool",
        on_hold=on_hold,
    )


# --- the pool's books are being checked -----------------------------------------------------------------------


@pytest.mark.parametrize("approval_comes_last", [False, True])
async def test_who_waits_for_the_books_to_be_checked_is_told_so(portal: Portal, *, approval_comes_last: bool) -> None:
    created = (await portal.apply()).json()
    events = [approval_of(created), waitlisted(created, on_hold=True)]
    for event in reversed(events) if approval_comes_last else events:
        await portal.hear(event)

    state = await portal.state(created["application_id"])
    waiting = state["waiting_for"]
    assert (state["status"], waiting["who"], waiting["due"]) == ("waitlisted", "disbursement", None)
    assert (waiting["on_hold"], waiting["short_of"]) == (True, "pool")
    assert "books are being checked" in waiting["what"]["en"]
    assert "核对" in waiting["what"]["zh-CN"]


async def test_once_the_books_are_right_it_waits_for_money_or_is_awarded(portal: Portal) -> None:
    created = (await portal.apply()).json()
    await portal.hear(approval_of(created), waitlisted(created, on_hold=True), waitlisted(created, on_hold=False))
    waiting = (await portal.state(created["application_id"]))["waiting_for"]
    assert (waiting["on_hold"], "in line for money" in waiting["what"]["en"]) == (False, True)

    await portal.hear(award_of(created))
    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]) == ("awarded", None)


# --- the end of an award ----------------------------------------------------------------------------------------


async def test_an_announced_expiry_is_shown_and_changes_no_status(portal: Portal) -> None:
    created, award = await portal.awarded()
    assert (await portal.state(created["application_id"]))["award"]["expiry_announced_at"] is None
    told = of_award(award, AwardExpiryAnnounced, rest=award.awarded, valid_until=award.valid_until)
    await portal.hear(told)

    state = await portal.state(created["application_id"])
    assert (state["status"], state["award"]["status"], state["waiting_for"]) == ("awarded", "active", None)
    assert datetime.fromisoformat(state["award"]["expiry_announced_at"]) == told.occurred_at
    line = (await timeline(portal, created))[-1]
    assert (line["type"], line["data"]["rest"]) == ("award.expiry_announced", 60_000_000)
    assert datetime.fromisoformat(line["data"]["valid_until"]) == award.valid_until
    assert (await portal.claim(award.award_id)).status_code == 201


@pytest.mark.parametrize(
    ("event", "details", "status", "code"),
    [
        (AwardExpired, {}, "expired", "award_expired"),
        (AwardClosed, {"reason": "给回"}, "closed", "award_not_active"),
        (AwardRevoked, {"reason": "application.withdrawn"}, "revoked", "award_not_active"),
    ],
)
async def test_an_award_that_has_ended_holds_nothing_and_takes_no_claims(
    portal: Portal, event: type[Event], details: dict[str, str], status: str, code: str
) -> None:
    created, award = await portal.awarded()
    await portal.hear(of_award(award, event, released=Money(48_679_245), **details))

    state = await portal.state(created["application_id"])
    assert (state["status"], state["award"]["status"], state["waiting_for"]) == ("awarded", status, None)
    assert fen(state["award"], "rest", "released") == [0, 48_679_245]
    assert (await timeline(portal, created))[-1]["data"] == {"released": 48_679_245, **details}
    refused = await portal.claim(award.award_id)
    assert (refused.status_code, refused.json()["code"]) == (409, code)
    voucher = (await portal.voucher(award.voucher_code)).json()
    assert (voucher["status"], voucher["rest"]["amount"]) == (status, 0)


async def test_an_award_that_was_stored_before_it_could_end_is_shown_with_the_new_fields(portal: Portal) -> None:
    created, award = await portal.awarded()
    stored = text("UPDATE applications SET award = award - 'released' - 'recovered' - 'expiry_announced_at'")
    async with portal.database.transaction() as connection:
        await connection.execute(stored)

    shown = (await portal.state(created["application_id"]))["award"]
    assert (shown["expiry_announced_at"], fen(shown, "released", "recovered", "outstanding")) == (None, [0, 0, 0])
    await portal.hear(of_award(award, AwardExpired, released=Money(7)))
    assert fen((await portal.state(created["application_id"]))["award"], "released") == [7]


# --- money that is asked back -----------------------------------------------------------------------------------


async def paid_award(portal: Portal, amount: int = 11_320_755) -> tuple[dict[str, Any], AwardIssued]:
    """Return an application with one claim that was paid."""
    created, award = await portal.awarded()
    claim = (await portal.claim(award.award_id)).json()
    payable = payable_of(claim, created, amount, 60_000_000 - amount)
    await portal.hear(payable, of_payment(payable, ClaimPaid, paid=Money(amount), settled_at=datetime.now(UTC)))
    return created, award


def demand_of(award: AwardIssued, amount: int = 11_320_755) -> RecoveryDemanded:
    due_at = datetime.now(UTC) + timedelta(days=14)
    details = {"recovery_id": uuid7(), "money": Money(amount), "reason": "虚开发票", "due_at": due_at}
    event = of_award(award, RecoveryDemanded, **details)
    assert isinstance(event, RecoveryDemanded)
    return event


def recovered(award: AwardIssued, demand: RecoveryDemanded, amount: int, outstanding: int, by: str) -> Event:
    amounts = {"money": Money(amount), "outstanding": Money(outstanding)}
    return of_award(award, AwardRecovered, recovery_id=demand.recovery_id, by=by, **amounts)


def closed(award: AwardIssued, demand: RecoveryDemanded, outcome: str, *amounts: int) -> Event:
    names = dict(zip(("received", "netted", "written_off"), map(Money, amounts), strict=True))
    return of_award(award, RecoveryClosed, recovery_id=demand.recovery_id, outcome=outcome, **names)


async def test_a_demand_is_shown_and_waits_for_the_applicant(portal: Portal) -> None:
    created, award = await paid_award(portal)
    demand = demand_of(award)
    await portal.hear(demand)

    state = await portal.state(created["application_id"])
    [shown] = state["recoveries"]
    assert shown == {
        "recovery_id": str(demand.recovery_id),
        "award_id": str(award.award_id),
        "money": {"amount": 11_320_755, "currency": "CNY"},
        "reason": "虚开发票",
        "due_at": shown["due_at"],
        "status": "demanded",
        "received": {"amount": 0, "currency": "CNY"},
        "netted": {"amount": 0, "currency": "CNY"},
        "written_off": {"amount": 0, "currency": "CNY"},
        "outstanding": {"amount": 11_320_755, "currency": "CNY"},
    }
    waiting = state["waiting_for"]
    assert (state["status"], waiting["who"], waiting["outstanding"]["amount"]) == ("awarded", "applicant", 11_320_755)
    assert datetime.fromisoformat(waiting["due"]) == demand.due_at == datetime.fromisoformat(shown["due_at"])
    assert set(waiting["what"]) == {"zh-CN", "en"}
    line = (await timeline(portal, created))[-1]
    assert (line["type"], line["data"]["money"], line["data"]["reason"]) == (demand.TYPE, 11_320_755, "虚开发票")


@pytest.mark.parametrize("demand_comes", [0, 1, 2])
async def test_a_recovery_is_shown_the_same_whichever_topic_is_heard_first(portal: Portal, demand_comes: int) -> None:
    created, award = await paid_award(portal)
    demand = demand_of(award)
    events = [
        recovered(award, demand, 3_000_000, 8_320_755, "receipt"),
        recovered(award, demand, 8_320_755, 0, "netting"),
    ]
    events.insert(demand_comes, demand)
    for event in events:
        await portal.hear(event)
    state = await portal.state(created["application_id"])
    assert fen(state["award"], "paid", "recovered", "outstanding") == [0, 11_320_755, 0]
    assert fen(state["recoveries"][0], "received", "netted", "outstanding") == [11_320_755, 8_320_755, 0]

    await portal.hear(closed(award, demand, "received", 11_320_755, 8_320_755, 0))
    state = await portal.state(created["application_id"])
    assert (state["recoveries"][0]["status"], state["waiting_for"]) == ("received", None)
    assert fen(state["recoveries"][0], "received", "netted", "written_off") == [11_320_755, 8_320_755, 0]
    assert len(await timeline(portal, created)) == 6 + 4


async def test_a_demand_can_be_closed_before_what_came_back_is_heard(portal: Portal) -> None:
    created, award = await paid_award(portal)
    demand = demand_of(award)
    await portal.hear(demand, closed(award, demand, "written_off", 3_000_000, 0, 8_320_755))
    before = await portal.state(created["application_id"])
    await portal.hear(recovered(award, demand, 3_000_000, 8_320_755, "receipt"))
    after = await portal.state(created["application_id"])

    assert before["recoveries"] == after["recoveries"]
    assert after["recoveries"][0]["status"] == "written_off"
    assert fen(after["recoveries"][0], "received", "written_off", "outstanding") == [3_000_000, 8_320_755, 0]
    assert fen(after["award"], "paid", "recovered", "outstanding") == [8_320_755, 3_000_000, 0]


async def test_a_demand_may_be_heard_before_its_award(portal: Portal) -> None:
    created = (await portal.apply()).json()
    award = award_of(created)
    await portal.hear(approval_of(created), demand_of(award))
    state = await portal.state(created["application_id"])
    assert (state["status"], len(state["recoveries"])) == ("approved", 1)

    await portal.hear(award)
    state = await portal.state(created["application_id"])
    assert (state["status"], state["waiting_for"]["who"]) == ("awarded", "applicant")


async def test_a_demand_that_is_overdue_is_seen_once(portal: Portal) -> None:
    created, award = await paid_award(portal)
    details = {"recovery_id": uuid7(), "money": Money(5), "reason": "r"}
    await portal.hear(of_award(award, RecoveryDemanded, **details, due_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert [await scan(portal.database) for _ in range(3)] == [1, 0, 0]

    waiting = (await portal.state(created["application_id"]))["waiting_for"]
    assert (waiting["who"], waiting["overdue"]) == ("applicant", True)
    missed = (await timeline(portal, created))[-1]["data"]
    assert (missed["waited_for"], missed["step"]) == ("recovery", "remind")


async def test_a_demand_without_a_deadline_has_the_policys(portal: Portal) -> None:
    created, award = await paid_award(portal)
    await portal.hear(of_award(award, RecoveryDemanded, recovery_id=uuid7(), money=Money(5), reason="r"))
    waiting = (await portal.state(created["application_id"]))["waiting_for"]
    assert within(waiting) == CLOCKS.recovery.within
    await let_pass(portal.database)
    assert await scan(portal.database) == 1


# --- decided anew -------------------------------------------------------------------------------------------


def reassessed(created: dict[str, Any], amount: int) -> ApplicationReassessed:
    fields = msgspec.structs.asdict(approval_of(created)) | {
        "approved": Money(amount),
        "outcome": "approved" if amount else "rejected",
        "because": Text("核减", "Corrected"),
    }
    return ApplicationReassessed(**fields)


async def test_an_award_follows_what_its_approval_has_become(portal: Portal) -> None:
    created, award = await portal.awarded()
    change = {"approved": Money(50_000_000), "limited_by": "approved", "to_recover": Money(0)}
    less = of_award(award, AwardChanged, **change, added=Money(0), released=Money(10_000_000), rest=Money(50_000_000))
    await portal.hear(reassessed(created, 50_000_000), less)
    state = await portal.state(created["application_id"])
    assert (state["status"], state["decision"]["approved"]["amount"]) == ("awarded", 50_000_000)
    assert state["decision"]["because"]["en"] == "Corrected"
    assert fen(state["award"], "awarded", "released", "rest") == [60_000_000, 10_000_000, 50_000_000]

    more = of_award(award, AwardChanged, **change, added=Money(5_000_000), released=Money(0), rest=Money(55_000_000))
    await portal.hear(reassessed(created, 55_000_000), more)
    state = await portal.state(created["application_id"])
    assert fen(state["award"], "awarded", "released", "rest") == [65_000_000, 10_000_000, 55_000_000]
    lived = [line["type"] for line in await timeline(portal, created)]
    assert (lived.count("application.reassessed"), lived.count("award.changed")) == (2, 2)


async def test_an_approval_that_was_taken_back_shows_why(portal: Portal) -> None:
    created, award = await portal.awarded()
    await portal.hear(reassessed(created, 0), of_award(award, AwardRevoked, released=Money(60_000_000), reason="核减"))
    state = await portal.state(created["application_id"])
    assert (state["decision"]["outcome"], state["award"]["status"]) == ("rejected", "revoked")
