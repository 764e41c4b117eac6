"""A payment without a report: finance is asked, money stays where it is, and no payment is ever instructed again."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from contracts.codec import decode
from contracts.events import AwardIssued, ClaimPaid, Event, PaymentInstructed, PaymentStatusRequested, TransferPosted
from contracts.policy import Clocks, Deadline
from disbursement import tables
from disbursement.clocks import Deadlines
from kit.clocks import Scanner
from kit.database import Database
from tests.disbursement.scenes import (
    NOW,
    YUAN,
    Scene,
    approved,
    only,
    policy,
    publish,
    returned,
    settled,
    verified,
)

CLOCKS = Clocks()
DEADLINE = NOW + CLOCKS.payment.within


async def instructed(scene: Scene) -> PaymentInstructed:
    award = only(await scene.tell(approved(60_000 * YUAN)), AwardIssued)
    return only(await scene.tell(verified(award, 1_000 * YUAN)), PaymentInstructed)


async def pass_time(scene: Scene, now: datetime) -> list[Event]:
    """Let the scanner's turn come at ``now``; return what is said."""
    due = await Deadlines().due(scene.connection, now, 100)
    return [said.event for said in (await scene.miss(due, now)).said]


async def test_finance_is_asked_about_a_payment_that_it_did_not_report(scene: Scene) -> None:
    payment = await instructed(scene)
    before = await scene.pool()

    [question] = await pass_time(scene, DEADLINE)

    assert isinstance(question, PaymentStatusRequested)
    assert (question.payment_id, question.end_to_end_id, question.attempt, question.question) == (
        payment.payment_id,
        payment.end_to_end_id,
        1,
        1,
    )
    assert (question.money, question.applicant, question.instructed_at) == (payment.money, payment.applicant, NOW)
    assert await scene.pool() == before
    [row] = await scene.rows(tables.payments)
    assert (row.status, row.attempt, row.due_at, row.missed_at) == ("instructed", 1, DEADLINE, DEADLINE)


async def test_nothing_is_asked_before_the_deadline(scene: Scene) -> None:
    await instructed(scene)
    assert await pass_time(scene, DEADLINE - timedelta(microseconds=1)) == []


async def test_it_asks_again_each_time_and_never_instructs_again(scene: Scene) -> None:
    await instructed(scene)
    said = [
        event
        for number in range(3)
        for _ in range(2)
        for event in await pass_time(scene, DEADLINE + number * CLOCKS.payment.within)
    ]

    assert [type(event) for event in said] == [PaymentStatusRequested] * 3
    assert [event.question for event in said if isinstance(event, PaymentStatusRequested)] == [1, 2, 3]
    assert len(await scene.rows(tables.transfers)) == 3  # opened, awarded, payable


async def test_the_answer_settles_it_once_however_often_it_comes(scene: Scene) -> None:
    payment = await instructed(scene)
    await pass_time(scene, DEADLINE)

    said = await scene.tell(settled(payment), settled(payment), now=DEADLINE)

    only(said, ClaimPaid)
    only(said, TransferPosted)
    assert await pass_time(scene, DEADLINE + timedelta(days=300)) == []
    [row] = await scene.rows(tables.payments)
    assert (row.status, row.due_at, row.next_step_at, row.missed_at, row.questions) == ("settled", None, None, None, 1)


async def test_a_report_stops_the_clock_before_it_fires(scene: Scene) -> None:
    payment = await instructed(scene)
    due = await Deadlines().due(scene.connection, DEADLINE, 10)
    assert due == [("payments", str(payment.payment_id))]
    await scene.tell(settled(payment))

    missed = await scene.miss(due, DEADLINE)
    assert (missed.said, missed.kinds) == ([], [])


async def test_a_returned_payment_has_a_deadline_of_its_own(scene: Scene) -> None:
    payment = await instructed(scene)
    await scene.tell(returned(payment), now=NOW + timedelta(hours=1))
    due_at = NOW + timedelta(hours=1) + CLOCKS.account.within

    assert await pass_time(scene, due_at - timedelta(seconds=1)) == []
    due = await Deadlines().due(scene.connection, due_at, 10)
    assert due == [("payments", str(payment.payment_id))]
    missed = await scene.miss(due, due_at)

    assert (missed.said, missed.kinds) == ([], ["account"])
    [row] = await scene.rows(tables.payments)
    assert (row.status, row.due_at, row.missed_at, row.next_step_at) == ("returned", due_at, due_at, None)


async def test_the_deadline_and_its_step_are_the_awards_policys(scene: Scene) -> None:
    document = policy(version="2", clocks=Clocks(payment=Deadline(timedelta(seconds=9), "remind")))
    await publish(scene, document)
    award = only(await scene.tell(approved(60_000 * YUAN, policy_version="2")), AwardIssued)
    await scene.tell(verified(award, 1_000 * YUAN))

    due = await Deadlines().due(scene.connection, NOW + timedelta(seconds=9), 10)
    missed = await scene.miss(due, NOW + timedelta(seconds=9))
    assert (missed.said, missed.kinds) == ([], ["payment"])


async def test_what_is_open_can_be_counted(scene: Scene) -> None:
    payment = await instructed(scene)
    notice_at = NOW.replace(year=2027) - timedelta(days=30)
    waiting = await Deadlines().waiting(scene.connection)
    assert {kind: (found.open, found.earliest_due) for kind, found in waiting.items()} == {
        "payment": (1, DEADLINE),
        "expiry_notice": (1, notice_at),
    }
    await scene.tell(settled(payment))
    assert (await Deadlines().waiting(scene.connection)).keys() == {"expiry_notice"}


# --- on committed rows -----------------------------------------------------------------------------------------


@pytest.fixture
async def unreported(opened: Path, database: Database) -> list[PaymentInstructed]:
    """Twenty payments whose deadline has passed by the database's clock, committed."""
    async with database.transaction() as connection:
        scene = Scene(connection)
        await publish(scene, policy())
        awards = await scene.tell(*[approved(100 * YUAN, applicant=f"9144030000000000{n:02d}") for n in range(20)])
        said = await scene.tell(*[verified(award, 10 * YUAN) for award in awards if isinstance(award, AwardIssued)])
        await connection.execute(
            text("UPDATE payments SET due_at = now() - interval '1 hour', next_step_at = now() - interval '1 hour'")
        )
    return [event for event in said if isinstance(event, PaymentInstructed)]


async def questions(database: Database) -> list[UUID]:
    """Return the payments asked about, in order; nothing else was announced but the opening."""
    async with database.reading() as connection:
        rows = await connection.execute(text("SELECT type, data FROM outbox ORDER BY id"))
        events = [decode(row.type, bytes(row.data)) for row in rows]
    assert {type(event) for event in events} <= {PaymentStatusRequested, TransferPosted}
    return [event.payment_id for event in events if isinstance(event, PaymentStatusRequested)]


async def test_scanners_at_once_ask_about_each_payment_once(
    unreported: list[PaymentInstructed], database: Database
) -> None:
    scanners = [Scanner(database, Deadlines(), batch_size=7) for _ in range(3)]
    taken = [sum(await asyncio.gather(*(scanner.scan() for scanner in scanners))) for _ in range(6)]

    assert sum(taken) == 20
    assert sorted(await questions(database)) == sorted(payment.payment_id for payment in unreported)


async def test_reports_and_the_clock_at_once_settle_once_and_ask_at_most_once(
    unreported: list[PaymentInstructed], database: Database
) -> None:
    async def report(payment: PaymentInstructed) -> None:
        async with database.transaction() as connection:
            await Scene(connection).tell(settled(payment), settled(payment))

    scanner = Scanner(database, Deadlines(), batch_size=3)
    await asyncio.gather(*(report(payment) for payment in unreported), *(scanner.scan() for _ in range(6)))
    while await scanner.scan():
        pass

    asked = await questions(database)
    assert len(asked) == len(set(asked))
    async with database.reading() as connection:
        pool = await Scene(connection).pool()
        payments = await Scene(connection).rows(tables.payments)
    assert (pool.obligated, pool.disbursed) == (0, 20 * 6 * YUAN)
    assert {(row.status, row.attempt, row.next_step_at) for row in payments} == {("settled", 1, None)}
