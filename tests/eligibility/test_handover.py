"""What a process takes in goes to its own assessor, and to others where it does not get to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import ApplicationApproved, ApplicationRejected, ApplicationSubmitted, Event
from eligibility import decisions
from eligibility.handlers import handle
from eligibility.records import Taken
from eligibility.settings import Settings
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT, OTHER_APPLICANT, application, messages, withdrawn
from tests.kit.conftest import eventually

CHANGED = {"assessor_poll_seconds": 60.0, "register_answer_age_seconds": 60.0, "assessor_group_size": 1}
HELD = "SELECT count(*) FROM assessments WHERE lease_token IS NOT NULL"


@pytest.fixture
async def office(database: Database, settings: Settings) -> AsyncIterator[Office]:
    """An office that takes one application at once, and looks for what others left once a minute."""
    office = Office(database, settings.model_copy(update=CHANGED))
    await office.assess()
    yield office
    await office.registers.close()


async def take_in(office: Office, *events: Event, now: datetime | None = None) -> Taken:
    """Take applications in as the process's consumer does; return what the batch says when it is committed."""
    async with office.database.transaction() as connection:
        said = await handle(office.shelf, office.handover, connection, messages(events), now or datetime.now(UTC))
        await said.make_writes()
    assert isinstance(said, Taken)
    return said


async def test_what_was_taken_in_is_assessed_by_its_process_and_found_due_by_no_other(office: Office) -> None:
    said = await take_in(office, application())
    assert await office.scalar(HELD) == 1
    office.handover.committed(said)
    assert await office.assess() == 1
    [event] = await office.announced()
    assert isinstance(event, ApplicationApproved)
    assert await office.scalar(HELD) == 0


async def test_registers_are_asked_while_the_batch_is_written_and_not_again(
    office: Office, registers: FakeRegisters
) -> None:
    said = await take_in(office, application())
    async with asyncio.timeout(20):
        await registers.until_asked(1)
    assert await office.announced() == []
    office.handover.committed(said)
    assert await office.assess() == 1
    assert set(registers.asked.values()) == {1}


async def test_what_the_assessor_was_not_told_of_it_leaves_alone(office: Office) -> None:
    await take_in(office, application())
    assert await office.assess() == 0
    assert await office.announced() == []


async def decided_before(office: Office) -> ApplicationSubmitted:
    """Have an application decided, so that what the registers say of its company is at hand."""
    one = application()
    office.handover.committed(await take_in(office, one))
    assert await office.assess() == 1
    return one


async def test_what_the_registers_have_answered_is_decided_as_it_is_taken_in(
    office: Office, registers: FakeRegisters
) -> None:
    await decided_before(office)
    asked = registers.asked.copy()
    another = application()
    said = await take_in(office, another)
    [approval] = [announced.event for announced in said]
    assert isinstance(approval, ApplicationApproved)
    assert (approval.application_id, said.lease) == (another.application_id, None)
    office.handover.committed(said)
    assert await office.assess() == 0
    assert registers.asked == asked
    found = await office.find(another)
    assert (found.status, found.outcome, found.approved) == ("decided", "approved", approval.approved)
    assert found.decided_at == found.approved_at == approval.occurred_at
    replayed = decisions.replay(office.shelf, found)
    assert replayed is not None
    assert replayed[1]
    assert await office.scalar(HELD) == 0


async def test_a_contract_counts_once_however_it_is_decided(office: Office) -> None:
    held = (await decided_before(office)).request.contract
    late = application(signed=held)
    [rejection] = [announced.event for announced in await take_in(office, late)]
    assert isinstance(rejection, ApplicationRejected)
    assert [each.code for each in rejection.reasons if each.outcome == "not_met"] == ["contract-already-supported"]


async def test_nothing_is_decided_before_what_came_earlier(office: Office, registers: FakeRegisters) -> None:
    await decided_before(office)
    held_up = await take_in(office, application(OTHER_APPLICANT))
    office.handover.committed(held_up)
    said = await take_in(office, application())
    assert (list(said), said.lease is not None) == ([], True)
    office.handover.committed(said)
    assert [await office.assess() for _ in range(3)] == [1, 1, 0]


async def test_nothing_is_decided_while_the_assessor_decides(office: Office, registers: FakeRegisters) -> None:
    await decided_before(office)
    registers.fail()
    office.handover.committed(await take_in(office, application(OTHER_APPLICANT)))
    assessing = asyncio.create_task(office.assess())
    await eventually(lambda: office.handover.under_way)
    assert list(await take_in(office, application())) == []
    assert await assessing == 1
    assert not office.handover.under_way


async def test_what_is_withdrawn_at_once_is_not_decided(office: Office) -> None:
    await decided_before(office)
    another = application()
    assert list(await take_in(office, another, withdrawn(another))) == []
    assert (await office.find(another)).status == "withdrawn"


async def test_what_is_undone_leaves_nothing_behind(office: Office) -> None:
    await decided_before(office)
    another = application()
    with suppress(ZeroDivisionError):
        async with office.database.transaction() as connection:
            await handle(office.shelf, office.handover, connection, messages([another]), datetime.now(UTC))
            raise ZeroDivisionError
    assert await office.scalar("SELECT count(*) FROM contracts") == 1
    [approval] = [announced.event for announced in await take_in(office, another)]
    assert isinstance(approval, ApplicationApproved)


async def test_others_assess_what_a_dead_process_has_taken_in(office: Office) -> None:
    await take_in(office, application(), now=datetime.now(UTC) - timedelta(minutes=1))
    assert await office.assess() == 1


async def test_what_is_too_much_for_one_is_left_to_anybody(office: Office) -> None:
    said = await take_in(office, *(application() for _ in range(6)))
    assert said.lease is None
    assert await office.scalar(HELD) == 0


async def test_what_waits_is_assessed_group_by_group_in_its_order(office: Office) -> None:
    for applicant in (APPLICANT, OTHER_APPLICANT):
        office.handover.committed(await take_in(office, application(applicant)))
    assert [await office.assess() for _ in range(3)] == [1, 1, 0]
    told = [event.applicant for event in await office.announced() if isinstance(event, ApplicationApproved)]
    assert told == [APPLICANT, OTHER_APPLICANT]


async def test_what_is_not_assessed_when_the_process_stops_is_left_to_others(office: Office) -> None:
    office.handover.committed(await take_in(office, application()))
    stop = asyncio.Event()
    stop.set()
    await office.assessor.run(stop)
    assert await office.scalar(HELD) == 0
    assert await office.assess() == 1


async def test_a_process_that_stops_without_its_database_ends_all_the_same(office: Office, settings: Settings) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/nothing")  # the port of discard: nobody listens
    cut_off = Office(away, settings)
    try:
        cut_off.handover.committed(await take_in(office, application()))
        stop = asyncio.Event()
        stop.set()
        await cut_off.assessor.run(stop)
    finally:
        await cut_off.registers.close()
        await away.close()
    assert await office.scalar(HELD) == 1, "until the lease is over"
