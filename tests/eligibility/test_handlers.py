"""What happens when intake says something: the rows that are stored and the events that are announced."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import ApplicationLapsed, ApplicationSubmitted, ClaimRejected, ClaimVerified, Event
from contracts.money import Money
from eligibility.records import Assessment
from eligibility.store import assessments, contracts
from kit import accounts
from kit.database import Database
from kit.errors import PermanentError
from kit.sealing import Keyring, keyring_of
from tests.eligibility.scenes import (
    FACTS,
    FEN,
    NOW,
    OTHER_APPLICANT,
    POLICY,
    PROVIDER,
    Desk,
    application,
    claim,
    claim_withdrawn,
    contract,
    invoice,
    names,
    withdrawn,
)


async def approve(connection: AsyncConnection, desk: Desk, *submitted: ApplicationSubmitted) -> None:
    """Take the applications in and mark them as approved, as the assessor would."""
    await desk.hear(connection, *submitted)
    held = await assessments.lock(connection, [one.application_id for one in submitted])
    for one in held.values():
        one.status, one.outcome, one.decided_at, one.facts, one.reasons = "decided", "approved", NOW, FACTS, ()
    await assessments.store_tries(connection, list(held.values()))


async def status_of(connection: AsyncConnection, submitted: ApplicationSubmitted) -> str:
    found = await assessments.find(connection, submitted.application_id)
    assert found is not None
    return found.status


async def invoices(connection: AsyncConnection) -> dict[tuple[str, str], Any]:
    rows = await connection.execute(text("SELECT seller, number, claim_id FROM counted_invoices"))
    return {(row.seller, row.number): row.claim_id for row in rows}


# --- applications ------------------------------------------------------------------------------------------


def carried(keyring: Keyring, one: ApplicationSubmitted, found: Assessment) -> ApplicationSubmitted:
    """Return what was submitted as it is stored: with its account sealed, which looks different each time."""
    account = found.submitted.company.account
    assert accounts.opened(keyring, one.application_id, account) == one.company.account
    return assessments.with_account(one, account)


async def test_an_application_is_taken_in_and_due_at_once(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    assert await desk.hear(connection, one) == []
    found = await assessments.find(connection, one.application_id)
    assert found is not None
    assert (found.status, found.policy_version, found.attempts) == ("pending", POLICY.version, 0)
    assert found.submitted == carried(keyring_of(connection), one, found)
    assert found.next_try_at == NOW
    assert found.traceparent == f"00-{0:032x}-0000000000000001-01"


async def test_the_same_submission_again_changes_nothing(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    await desk.hear(connection, one)
    await desk.hear(connection, one, one)
    assert await status_of(connection, one) == "pending"


async def test_an_unknown_version_falls_to_the_recorded_one(connection: AsyncConnection, desk: Desk) -> None:
    one = application(policy_version="1999.9")
    await desk.hear(connection, one)
    found = await assessments.find(connection, one.application_id)
    assert found is not None
    assert found.policy_version == POLICY.version


async def test_an_unknown_scheme_needs_a_person(connection: AsyncConnection, desk: Desk) -> None:
    with pytest.raises(PermanentError, match="no policy is published"):
        await desk.hear(connection, application(scheme="no-such-scheme"))


async def test_a_withdrawn_application_is_not_due(connection: AsyncConnection, desk: Desk) -> None:
    one, other = application(), application()
    await desk.hear(connection, one)
    await desk.hear(connection, withdrawn(one), other, withdrawn(other))
    assert await status_of(connection, one) == "withdrawn"
    assert await status_of(connection, other) == "withdrawn"
    due = await assessments.lease_due(connection, token=one.application_id, limit=10, seconds=5)
    assert due == {}


async def test_a_lapsed_application_is_not_due_either(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    lapsed = ApplicationLapsed(
        occurred_at=NOW, application_id=one.application_id, scheme=one.scheme, applicant=one.applicant
    )
    await desk.hear(connection, one, lapsed)
    assert await status_of(connection, one) == "withdrawn"


async def test_the_withdrawal_of_a_draft_is_nothing_to_us(connection: AsyncConnection, desk: Desk) -> None:
    assert await desk.hear(connection, withdrawn(application())) == []


async def test_a_withdrawal_frees_the_contract(connection: AsyncConnection, desk: Desk) -> None:
    one, other = application(signed=contract(number="C-1")), application(OTHER_APPLICANT)
    await desk.hear(connection, one, other)
    key = contracts.key_of(one.scheme, contract(number="C-1"))
    assert await contracts.take(connection, {key: one.application_id}) == {key: one.application_id}
    assert await contracts.take(connection, {key: other.application_id}) == {key: one.application_id}
    await desk.hear(connection, withdrawn(one))
    assert await contracts.take(connection, {key: other.application_id}) == {key: other.application_id}


# --- claims ------------------------------------------------------------------------------------------------


async def test_a_claim_is_verified_in_its_batch(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    await approve(connection, desk, one)
    asked = claim(one, invoice("1"), invoice("2", tax_yuan=0))
    [event] = await desk.hear(connection, asked)
    assert isinstance(event, ClaimVerified)
    assert event.eligible == Money(1940 * FEN)
    assert (event.claim_id, event.award_id, event.submitted_at) == (asked.claim_id, asked.award_id, asked.submitted_at)
    assert await invoices(connection) == {(PROVIDER, "1"): asked.claim_id, (PROVIDER, "2"): asked.claim_id}


async def test_an_invoice_counts_once_in_the_whole_programme(connection: AsyncConnection, desk: Desk) -> None:
    one, other = application(), application(OTHER_APPLICANT)
    await approve(connection, desk, one, other)
    first = claim(one, invoice("1"))
    announced = await desk.hear(connection, first, claim(other, invoice("1"), invoice("2")))
    announced += await desk.hear(connection, claim(other, invoice("1")), claim(other, invoice("2")))
    assert names(announced) == ["claim.verified", "claim.rejected", "claim.rejected", "claim.verified"]
    assert isinstance(announced[1], ClaimRejected)
    assert [reason.code for reason in announced[1].reasons if reason.outcome == "not_met"] == [
        "invoice_already_claimed"
    ]
    held = await invoices(connection)
    assert held[PROVIDER, "1"] == first.claim_id
    assert len(held) == 2


async def test_the_same_claim_again_is_not_answered_again(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    await approve(connection, desk, one)
    asked = claim(one, invoice("1"))
    assert names(await desk.hear(connection, asked, asked)) == ["claim.verified"]
    assert await desk.hear(connection, asked) == []
    assert await invoices(connection) == {(PROVIDER, "1"): asked.claim_id}


async def test_a_claim_without_an_approved_application_is_rejected(connection: AsyncConnection, desk: Desk) -> None:
    pending, gone, approved = application(), application(), application()
    await approve(connection, desk, approved, gone)
    await desk.hear(connection, pending, withdrawn(gone))
    strange = msgspec.structs.replace(claim(approved, invoice("4")), applicant=OTHER_APPLICANT)
    asked = [claim(pending, invoice("1")), claim(gone, invoice("2")), claim(application(), invoice("3")), strange]
    assert names(await desk.hear(connection, *asked)) == ["claim.rejected"] * 4
    assert await invoices(connection) == {}


async def test_a_rejected_claim_leaves_its_invoices_free(connection: AsyncConnection, desk: Desk) -> None:
    one = application()
    await approve(connection, desk, one)
    assert names(await desk.hear(connection, claim(one, invoice("1"), usage=None))) == ["claim.rejected"]
    assert names(await desk.hear(connection, claim(one, invoice("1")))) == ["claim.verified"]


async def test_a_withdrawn_claim_keeps_its_invoices(connection: AsyncConnection, desk: Desk) -> None:
    """It was verified, so its payment may be on its way: what is released could be paid twice."""
    one = application()
    await approve(connection, desk, one)
    asked = claim(one, invoice("1"))
    announced = await desk.hear(connection, asked, claim_withdrawn(asked), claim(one, invoice("1")))
    assert names(announced) == ["claim.verified", "claim.rejected"]
    rows = await connection.execute(text("SELECT status FROM claims ORDER BY status"))
    assert rows.scalars().all() == ["rejected", "withdrawn"]


async def test_a_batch_gives_what_one_by_one_gives(database: Database) -> None:
    """Batch result = serial result: the same events in one batch, and each in a batch of its own."""
    one, other = application(), application(OTHER_APPLICANT)
    asked = [claim(one, invoice("1")), claim(other, invoice("2"), invoice("1")), claim(other, invoice("2"))]
    asked += [claim(one, invoice("3"), usage=None), claim(one, invoice("3")), claim(other, invoice("3"))]
    events: list[Event] = [*asked[:4], claim_withdrawn(asked[0]), *asked[4:], claim(one, invoice("1"))]
    outcomes = []
    for batches in ([events], [[event] for event in events]):
        async with database.engine.connect() as connection:
            transaction = await connection.begin()
            await approve(connection, desk := Desk(), one, other)
            announced = [said for batch in batches for said in await desk.hear(connection, *batch)]
            outcomes.append(([*names(announced)], await invoices(connection)))
            await transaction.rollback()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0].count("claim.verified") == 3


async def test_two_partitions_that_race_for_an_invoice_have_one_winner(database: Database) -> None:
    one, other = application(), application(OTHER_APPLICANT)
    async with database.transaction() as connection:
        await approve(connection, Desk(), one, other)
    numbers = [str(number) for number in range(20)]

    async def consume(of: ApplicationSubmitted, order: list[str]) -> list[str]:
        async with database.transaction() as connection:
            return names(await Desk().hear(connection, *(claim(of, invoice(number)) for number in order)))

    outcomes = await asyncio.gather(consume(one, numbers), consume(other, numbers[::-1]))
    assert sorted(outcomes) == [["claim.rejected"] * 20, ["claim.verified"] * 20]


async def test_the_loser_of_a_race_wins_when_the_winner_rolls_back(database: Database) -> None:
    one, other = application(), application(OTHER_APPLICANT)
    async with database.transaction() as connection:
        await approve(connection, Desk(), one, other)
    async with database.engine.connect() as first, database.transaction() as second:
        transaction = await first.begin()
        assert names(await Desk().hear(first, claim(one, invoice("1")))) == ["claim.verified"]
        waiting = asyncio.create_task(Desk().hear(second, claim(other, invoice("1"))))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await transaction.rollback()
        assert names(await waiting) == ["claim.verified"]


async def test_events_carry_the_trace_of_what_caused_them(connection: AsyncConnection, desk: Desk) -> None:
    one = application(submitted_at=NOW - timedelta(days=1))
    await approve(connection, desk, one)
    await connection.execute(text("DELETE FROM outbox"))
    await desk.hear(connection, withdrawn(application()), claim(one, invoice("1")))
    traces = (await connection.execute(text("SELECT traceparent FROM outbox"))).scalars().all()
    assert traces == [f"00-{1:032x}-0000000000000001-01"]
