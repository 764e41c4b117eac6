"""The assessor on the real database with registers over real HTTP: decisions, waits, leases, contracts."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from contracts.common import Account, Request
from contracts.events import ApplicationApproved, ApplicationRejected, ApplicationSubmitted, ReviewOpened
from contracts.money import Money
from eligibility import decisions
from eligibility.settings import Settings
from eligibility.store import assessments
from kit import accounts
from tests.eligibility.office import Office
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import (
    APPLICANT,
    FEN,
    NOW,
    OTHER_APPLICANT,
    POLICY,
    application,
    company,
    contract,
    withdrawn,
)

# --- decisions ---------------------------------------------------------------------------------------------


def opened(office: Office, event: ApplicationApproved) -> Account:
    assert office.database.keyring is not None
    return accounts.opened(office.database.keyring, event.application_id, event.creditor)


async def test_an_application_is_approved(office: Office) -> None:
    one = application(yuan=500_000)
    await office.submit(one)
    assert await office.assess() == 1
    [event] = await office.announced()
    assert isinstance(event, ApplicationApproved)
    assert event.approved == Money(300_000 * FEN)
    assert (event.rate, event.pool, event.kind, event.provisional) == (6000, POLICY.pool, "voucher", False)
    assert (event.cap_holder, event.contract) == (APPLICANT, one.request.contract)
    assert (event.creditor.account, opened(office, event)) == ("****2222", one.company.account)
    assert (event.submitted_at, event.district, event.policy_version) == (NOW, "nanshan", POLICY.version)
    found = await office.find(one)
    assert (found.status, found.outcome, found.approved) == ("decided", "approved", event.approved)
    assert found.decided_at == event.occurred_at
    assert office.committed == 1


async def test_an_application_is_rejected_with_its_reasons(office: Office, registers: FakeRegisters) -> None:
    registers.answer("credit_record", {"blacklisted": True}, code=APPLICANT)
    registers.answer("business_registration", {"detail": "unknown"}, code=APPLICANT, status=404)
    one = application()
    await office.submit(one)
    await office.assess()
    [event] = await office.announced()
    assert isinstance(event, ApplicationRejected)
    assert {reason.code for reason in event.reasons if reason.outcome == "not_met"} == {"registered", "credit-record"}
    assert {reason.code for reason in event.reasons if reason.outcome == "met"} >= {"provider-listed", "window-open"}
    assert (await office.find(one)).reasons == event.reasons


async def test_a_group_of_companies_shares_its_cap_holder(office: Office, registers: FakeRegisters) -> None:
    group = {"group": APPLICANT, "members": [APPLICANT, OTHER_APPLICANT]}
    registers.answer("related_companies", group)
    await office.submit(application(), application(OTHER_APPLICANT))
    await office.assess()
    approvals = [event for event in await office.announced() if isinstance(event, ApplicationApproved)]
    holders = [event.cap_holder for event in approvals]
    assert holders == [APPLICANT, APPLICANT]
    assert {event.cap_members for event in approvals} == {(APPLICANT, OTHER_APPLICANT)}


async def test_a_hundred_are_decided_in_one_group_in_order_of_submission(office: Office) -> None:
    many = [
        application(f"91440300MA{number:08d}", submitted_at=NOW - timedelta(seconds=number)) for number in range(100)
    ]
    await office.submit(*many)
    assert await office.assess() == 100
    announced = [event for event in await office.announced() if isinstance(event, ApplicationApproved)]
    assert [event.submitted_at for event in announced] == sorted(one.submitted_at for one in many)
    assert office.committed == 1


async def test_a_decision_replays_to_the_letter(office: Office, registers: FakeRegisters) -> None:
    registers.answer("credit_record", {"blacklisted": True}, code=OTHER_APPLICANT)
    submitted = [application(), application(OTHER_APPLICANT)]
    await office.submit(*submitted)
    await office.assess()
    registers.fail()  # a replay asks nobody
    for one in submitted:
        replayed = decisions.replay(office.shelf, await office.find(one))
        assert replayed is not None
        assert replayed[1]


async def test_a_replay_under_other_facts_is_seen(office: Office) -> None:
    one = application()
    await office.submit(one)
    await office.assess()
    found = await office.find(one)
    assert found.facts is not None
    found.facts["credit_record"] = {"blacklisted": True}
    replayed = decisions.replay(office.shelf, found)
    assert replayed is not None
    assert replayed[0].outcome == "rejected"
    assert not replayed[1]


# --- a contract counts once ----------------------------------------------------------------------------------


def on_the_same_contract(*applicants: str) -> list[ApplicationSubmitted]:
    """Applications on one contract, the later in the list the earlier submitted."""
    signed = contract(number="C-1")
    return [
        application(applicant, signed=signed, submitted_at=NOW - timedelta(seconds=place))
        for place, applicant in enumerate(applicants)
    ]


@pytest.mark.parametrize("together", [True, False])
async def test_the_first_on_a_contract_is_supported(office: Office, together: bool) -> None:
    later, first = on_the_same_contract(APPLICANT, OTHER_APPLICANT)
    await office.submit(first, *([later] if together else []))
    await office.assess()
    if not together:
        await office.submit(later)
        await office.assess()
    approved, rejected = await office.announced()
    assert isinstance(approved, ApplicationApproved)
    assert isinstance(rejected, ApplicationRejected)
    assert (approved.application_id, rejected.application_id) == (first.application_id, later.application_id)
    assert [reason.code for reason in rejected.reasons if reason.outcome == "not_met"] == ["contract-already-supported"]
    replayed = decisions.replay(office.shelf, await office.find(later))
    assert replayed is not None
    assert replayed[1]


async def test_a_rejected_application_holds_no_contract(office: Office, registers: FakeRegisters) -> None:
    registers.answer("credit_record", {"blacklisted": True}, code=OTHER_APPLICANT)
    later, first = on_the_same_contract(APPLICANT, OTHER_APPLICANT)
    await office.submit(first, later)
    await office.assess()
    rejected, approved = await office.announced()
    assert isinstance(rejected, ApplicationRejected)
    assert isinstance(approved, ApplicationApproved)
    assert approved.application_id == later.application_id


async def test_a_withdrawn_application_holds_no_contract(office: Office) -> None:
    later, first = on_the_same_contract(APPLICANT, OTHER_APPLICANT)
    await office.submit(first)
    await office.assess()
    await office.submit(withdrawn(first), later)
    await office.assess()
    assert [type(event) for event in await office.announced()] == [ApplicationApproved, ApplicationApproved]


# --- waiting for the registers -------------------------------------------------------------------------------


async def test_without_the_registers_it_waits_says_so_once_and_goes_on_by_itself(
    office: Office, registers: FakeRegisters
) -> None:
    registers.fail("credit_record", "provider")
    one = application()
    await office.submit(one)
    for _ in range(3):
        await office.assess()
        await asyncio.sleep(0.06)
    [opened] = await office.announced()
    assert isinstance(opened, ReviewOpened)
    assert opened.holder == "registers"
    assert "credit records" in opened.waiting_for.en
    assert "服务商名录" in opened.waiting_for.zh
    waiting = await office.find(one)
    assert (waiting.status, waiting.outcome, waiting.waits_for) == ("waiting", None, "registers")
    assert waiting.attempts >= 2
    registers.reset()
    await office.until_settled()
    assert [type(event) for event in await office.announced()] == [ReviewOpened, ApplicationApproved]
    assert (await office.find(one)).waits_for is None


async def test_a_fault_that_is_known_rejects_while_a_register_is_away(office: Office, registers: FakeRegisters) -> None:
    registers.fail("related_companies", "provider")
    registers.answer("credit_record", {"blacklisted": True})
    await office.submit(application())
    await office.assess()
    [event] = await office.announced()
    assert isinstance(event, ApplicationRejected)
    assert {reason.outcome for reason in event.reasons} == {"met", "not_met", "unknown"}


async def test_a_try_that_is_not_due_is_not_made(office: Office, registers: FakeRegisters) -> None:
    registers.fail()
    await office.submit(application())
    await office.assess()
    async with office.database.transaction() as connection:
        await connection.execute(text("UPDATE assessments SET next_try_at = now() + interval '1 hour'"))
    assert await office.assess() == 0


async def test_withdrawn_while_the_registers_are_asked_there_is_no_decision(
    office: Office, registers: FakeRegisters
) -> None:
    one = application()
    await office.submit(one)
    registers.delay_seconds = 1.0
    assessing = asyncio.create_task(office.assess())
    await registers.until_asked(1)
    await office.submit(withdrawn(one))
    await assessing
    assert await office.announced() == []
    assert (await office.find(one)).status == "withdrawn"


# --- two processes -------------------------------------------------------------------------------------------


async def test_two_processes_share_the_work_and_decide_each_once(
    office: Office, settings: Settings, registers: FakeRegisters
) -> None:
    second = Office(office.database, settings)
    many = [application(f"91440300MA{number:08d}") for number in range(60)]
    await office.submit(*many)
    registers.delay_seconds = 0.02
    small = settings.model_copy(update={"assessor_group_size": 10})
    offices = [Office(office.database, small) for _ in range(3)]
    while sum(await asyncio.gather(*(one.assess() for one in offices))):
        pass
    assert len(await office.announced()) == 60
    assert (
        len({event.application_id for event in await office.announced() if isinstance(event, ApplicationApproved)})
        == 60
    )
    for one in (second, *offices):
        await one.registers.close()


async def test_what_a_dead_process_held_is_taken_over_after_its_lease(office: Office, settings: Settings) -> None:
    one = application()
    await office.submit(one)
    async with office.database.transaction() as connection:
        assert await assessments.lease_due(connection, token=one.application_id, limit=10, seconds=1.5)
    assert await office.assess() == 0
    await asyncio.sleep(1.6)
    assert await office.assess() == 1
    assert len(await office.announced()) == 1


async def test_who_lost_the_lease_stores_nothing(office: Office, settings: Settings, registers: FakeRegisters) -> None:
    one = application()
    await office.submit(one)
    registers.delay_seconds = 1.0
    slow = asyncio.create_task(office.assess())
    await registers.until_asked(1)
    async with office.database.transaction() as connection:  # the lease ends early, another process takes over
        await connection.execute(text("UPDATE assessments SET leased_until = now() - interval '1 second'"))
    other = Office(office.database, settings)
    assert await other.assess() == 1
    await slow
    assert len(await office.announced()) == 1
    await other.registers.close()


async def test_a_stop_gives_back_what_was_not_answered(office: Office, registers: FakeRegisters) -> None:
    one = application()
    await office.submit(one)
    registers.delay_seconds = 2.0
    stop = asyncio.Event()
    assessing = asyncio.create_task(office.assessor.assess_group(stop))
    await registers.until_asked(1)
    stop.set()
    await asyncio.wait_for(assessing, 1.5)
    found = await office.find(one)
    assert (found.status, found.attempts) == ("pending", 0)
    assert await office.scalar("SELECT leased_until FROM assessments") is None
    registers.delay_seconds = 0
    assert await office.assess() == 1


async def test_the_loop_decides_when_woken_and_when_due(office: Office) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(office.assessor.run(stop))
    await office.submit(application())
    for _ in range(100):
        if not await office.open():
            break
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(running, 2)
    assert len(await office.announced()) == 1


# --- odd input -------------------------------------------------------------------------------------------------


ODD: list[tuple[str, ApplicationSubmitted]] = [
    ("no contract", application(request=Request(money=Money(100)))),
    ("a district of nowhere", application(district="")),
    ("long names", application(company=company(name="长" * 100_000))),
    ("numbers beyond 64 bits", application(request=Request(Money(100), contract(), {"n": 10**30}))),
    ("a seller that is the applicant", application(signed=contract(provider=APPLICANT))),
    ("the most that money can be", application(request=Request(Money(2**53 - 1), contract(money=Money(2**53 - 1))))),
]


@pytest.mark.parametrize(("what", "odd"), ODD, ids=[case[0] for case in ODD])
async def test_odd_input_is_decided_too(office: Office, what: str, odd: ApplicationSubmitted) -> None:
    assert msgspec.json.decode(msgspec.json.encode(odd))
    await office.submit(odd)
    await office.assess()
    assert (await office.find(odd)).status == "decided"
