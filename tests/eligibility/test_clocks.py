"""Registers that stay away are escalated once, and the application is still decided by itself when they answer."""

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from contracts.events import ApplicationApproved, ReviewOpened
from contracts.policy import Clocks
from eligibility.clocks import Deadlines
from kit.clocks import Scanner
from tests.eligibility.office import Office
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import application, withdrawn

CLOCKS = Clocks()


def scanner(office: Office) -> Scanner[UUID]:
    return Scanner(office.database, Deadlines(office.shelf))


async def let_pass(office: Office) -> None:
    """Let every deadline that is set have passed a second ago."""
    async with office.database.transaction() as connection:
        await connection.execute(
            text("UPDATE assessments SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL")
        )


async def test_registers_that_stay_away_are_escalated_to_an_officer_once(
    office: Office, registers: FakeRegisters
) -> None:
    registers.fail("provider")
    one = application()
    await office.submit(one)
    await office.assess()
    waiting = await office.find(one)
    assert waiting.due_at is not None
    await let_pass(office)

    assert [await scanner(office).scan() for _ in range(2)] == [1, 0]
    await asyncio.sleep(0.06)
    await office.assess()

    first, second = await office.announced()
    assert isinstance(first, ReviewOpened)
    assert isinstance(second, ReviewOpened)
    assert (first.holder, second.holder) == ("registers", "officer")
    assert "officer" in second.waiting_for.en
    found = await office.find(one)
    assert (found.status, found.waits_for, found.outcome, found.missed_at) == ("waiting", "officer", None, None)
    assert found.due_at is not None
    assert found.due_at - second.occurred_at == CLOCKS.officer.within


async def test_an_escalated_application_is_decided_by_itself_when_the_registers_answer(
    office: Office, registers: FakeRegisters
) -> None:
    registers.fail("provider")
    one = application()
    await office.submit(one)
    await office.assess()
    await let_pass(office)
    await scanner(office).scan()
    registers.reset()
    await office.until_settled()

    assert [type(event) for event in await office.announced()][-1] is ApplicationApproved
    found = await office.find(one)
    assert (found.status, found.waits_for, found.due_at) == ("decided", None, None)


async def test_an_officer_who_is_late_is_seen_once(office: Office, registers: FakeRegisters) -> None:
    registers.fail("provider")
    one = application()
    await office.submit(one)
    await office.assess()
    for _ in range(2):
        await let_pass(office)
        assert await scanner(office).scan() == 1
    assert await scanner(office).scan() == 0
    assert (await office.find(one)).missed_at is not None
    assert len(await office.announced()) == 2


async def test_an_application_that_nobody_assesses_is_overdue_too(office: Office) -> None:
    one = application()
    await office.submit(one)
    found = await office.find(one)
    assert found.due_at == found.next_try_at + CLOCKS.decision.within
    await let_pass(office)

    assert await scanner(office).scan() == 1
    assert (await office.find(one)).missed_at is not None
    await office.until_settled()
    found = await office.find(one)
    assert (found.outcome, found.due_at, found.missed_at) == ("approved", None, None)


async def test_what_was_decided_or_withdrawn_never_fires(office: Office) -> None:
    decided, taken_back = application(yuan=500_000), application(yuan=400_000)
    await office.submit(decided, taken_back)
    await let_pass(office)
    async with office.database.reading() as connection:
        due = await Deadlines(office.shelf).due(connection, decided.submitted_at + timedelta(days=36_500), 10)
    assert set(due) == {decided.application_id, taken_back.application_id}
    await office.submit(withdrawn(taken_back))
    await office.assess()

    async with office.database.transaction() as connection:
        missed = await Deadlines(office.shelf).miss(connection, due, decided.submitted_at + timedelta(days=36_500))
    assert (missed.kinds, missed.said) == ([], [])
    assert await scanner(office).scan() == 0


async def test_scanners_at_once_escalate_each_once(office: Office, registers: FakeRegisters) -> None:
    registers.fail("provider")
    many = [application(yuan=1000 + number) for number in range(12)]
    await office.submit(*many)
    await office.assess()
    await let_pass(office)

    taken = await asyncio.gather(*(scanner(office).scan() for _ in range(4)))

    assert sum(taken) == 12
    opened = [event for event in await office.announced() if isinstance(event, ReviewOpened)]
    assert sorted(event.application_id for event in opened if event.holder == "officer") == sorted(
        one.application_id for one in many
    )


async def test_what_waits_is_counted_by_kind(office: Office, registers: FakeRegisters) -> None:
    registers.fail("provider")
    await office.submit(application(yuan=500_000), application(yuan=400_000))
    await office.assess()
    await office.submit(application(yuan=300_000))
    async with office.database.reading() as connection:
        waiting = await Deadlines(office.shelf).waiting(connection)
    assert {kind: found.open for kind, found in waiting.items()} == {"registers": 2, "decision": 1}
