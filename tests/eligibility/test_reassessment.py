"""What was decided is decided anew: the old decision stands until then, is kept, and replays."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from contracts.common import Text
from contracts.events import (
    ApplicationApproved,
    ApplicationReassessed,
    ApplicationRejected,
    ApplicationSubmitted,
    ClaimVerified,
)
from contracts.money import Money
from contracts.policy import Review
from kit.database import Database
from kit.identifiers import uuid7
from tests.eligibility.office import Office
from tests.eligibility.persons import Persons, asked, process, published
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT, FEN, claim, contract, invoice

REASONS = {"reasons": {"zh-CN": "核查发现有误", "en": "An audit found a mistake"}}


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def approved(office: Office, database: Database, **policy: Any) -> ApplicationSubmitted:
    submitted = asked(await published(database, **policy))
    await office.submit(submitted)
    await office.assess()
    assert (await office.find(submitted)).outcome == "approved"
    return submitted


async def reopen(persons: Persons, submitted: ApplicationSubmitted, by: str = "anna") -> Any:
    return await persons.post(f"/v1/assessments/{submitted.application_id}/reassessment", REASONS, by=by)


async def told(office: Office, kind: Any) -> list[Any]:
    return [event for event in await office.announced() if type(event) is kind]


async def test_an_approval_that_does_not_hold_any_more_is_taken_back(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    signed = contract()
    scheme = await published(database)
    submitted = asked(scheme, signed=signed)
    await office.submit(submitted)
    await office.assess()
    registers.answer("credit_record", {"blacklisted": True})
    assert (await reopen(persons, submitted)).json()["status"] == "waiting"
    await office.assess()

    [event] = await told(office, ApplicationReassessed)
    assert (event.outcome, event.approved, event.because) == (
        "rejected",
        Money(0),
        Text("核查发现有误", "An audit found a mistake"),
    )
    assert event.cap_members == (APPLICANT,)
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert (shown["outcome"], shown["replay"]["identical"]) == ("rejected", True)
    [earlier] = shown["earlier"]
    assert (earlier["because"], earlier["outcome"], earlier["replay"]["identical"]) == (
        "reassessment",
        "approved",
        True,
    )
    registers.answers.clear()
    second = asked(scheme, signed=signed)  # the contract is free again
    await office.submit(second)
    await office.assess()
    assert (await office.find(second)).outcome == "approved"


async def test_the_decision_stands_until_it_is_made_anew(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    submitted = await approved(office, database)
    first = await office.find(submitted)
    registers.fail()
    assert (await reopen(persons, submitted)).is_success
    await office.assess()
    held = await office.find(submitted)
    assert (held.status, held.outcome, held.waits_for) == ("waiting", "approved", "registers")
    await office.submit(claim(submitted, invoice("R-1")))
    assert len(await told(office, ClaimVerified)) == 1
    again = await reopen(persons, submitted)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_reassess")

    registers.answers.clear()
    await office.until_settled()
    [event] = await told(office, ApplicationReassessed)
    assert (event.outcome, event.approved) == ("approved", Money(600_000 * FEN))
    held = await office.find(submitted)
    assert held.approved_at == first.decided_at
    assert held.decided_at is not None
    assert first.decided_at is not None
    assert held.decided_at > first.decided_at
    assert len(await told(office, ApplicationApproved)) == 1


async def test_what_was_approved_before_its_time_was_kept_is_supported_from_then_on(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    submitted = await approved(office, database)
    first = await office.find(submitted)
    async with database.transaction() as connection:  # as an earlier version has stored it
        await connection.execute(text("UPDATE assessments SET approved_at = NULL"))
    await reopen(persons, submitted)
    await office.assess()
    assert (await office.find(submitted)).approved_at == first.decided_at


async def test_persons_look_again_at_what_persons_decided(office: Office, database: Database, persons: Persons) -> None:
    submitted = asked(await published(database, review=Review(route="persons")))
    await office.submit(submitted)
    await office.assess()
    await persons.decide((await persons.task(submitted.application_id))["task_id"], "bo")
    await office.assess()
    await reopen(persons, submitted)
    await office.assess()
    task = await persons.task(submitted.application_id)
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert detail["votes"] == []
    assert [one["kind"] for one in detail["facts"]["statements"]["said"]] == ["reassessment"]
    await persons.decide(task["task_id"], "bo", amount=100_000 * FEN)
    await office.assess()
    [event] = await told(office, ApplicationReassessed)
    assert event.approved == Money(100_000 * FEN)
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert [one["approved"]["amount"] for one in shown["earlier"]] == [600_000 * FEN]


async def test_a_rejection_is_decided_anew_as_if_it_were_the_first_time(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    registers.answer("credit_record", {"blacklisted": True})
    submitted = asked(await published(database))
    await office.submit(submitted)
    await office.assess()
    assert len(await told(office, ApplicationRejected)) == 1
    registers.answers.clear()
    await reopen(persons, submitted)
    await office.assess()
    assert await told(office, ApplicationReassessed) == []
    [event] = await told(office, ApplicationApproved)
    assert event.approved == Money(600_000 * FEN)


async def test_only_officers_without_an_interest_open_it_again(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await approved(office, database)
    path = f"/v1/assessments/{submitted.application_id}/reassessment"
    assert (await persons.post(path, REASONS, by="anna", scope="auditor")).status_code == 403
    await persons.post("/v1/interests", {"applicant": APPLICANT, "why": "my brother's"}, by="cleo")
    refused = await reopen(persons, submitted, by="cleo")
    assert (refused.status_code, refused.json()["code"]) == (403, "interest_declared")
    nowhere = await persons.post(f"/v1/assessments/{uuid7()}/reassessment", REASONS)
    assert nowhere.status_code == 404
    assert (await office.find(submitted)).status == "decided"
