"""The applicant is asked, the public objects, a rejection is appealed against: over the API, on the real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts.events import (
    AppealDecided,
    AppealLodged,
    ApplicationApproved,
    ApplicationRejected,
    ApplicationSubmitted,
    ClarificationAnswered,
    ClarificationRequested,
    ReviewOpened,
)
from contracts.money import Money
from contracts.policy import Clocks, Review
from eligibility.past import BEGINNING, replays
from eligibility.shelf import Shelf
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import REASONS, Persons, asked, process, published
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT, FEN, NOW, contract, withdrawn

SECOND = Review(route="persons", second_above=Money(100_000 * FEN))
QUESTION = {"question": {"zh-CN": "请说明用途", "en": "What is it for?"}}


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def waiting(office: Office, database: Database, **policy: Any) -> ApplicationSubmitted:
    """An application that waits for persons: CNY 600,000 are computed."""
    submitted = asked(await published(database, **{"review": SECOND} | policy))
    await office.submit(submitted)
    await office.assess()
    return submitted


async def rejected(
    office: Office, database: Database, registers: FakeRegisters, **policy: Any
) -> tuple[ApplicationSubmitted, ApplicationRejected]:
    """An application that was rejected because the company is on the blacklist, which it is not any more."""
    registers.answer("credit_record", {"blacklisted": True})
    submitted = asked(await published(database, **policy))
    await office.submit(submitted)
    await office.assess()
    registers.answers.clear()
    [event] = [one for one in await office.announced() if isinstance(one, ApplicationRejected)]
    return submitted, event


def said(kind: Any, of: ApplicationSubmitted, **what: Any) -> Any:
    return kind(occurred_at=NOW, application_id=of.application_id, scheme=of.scheme, applicant=of.applicant, **what)


async def told(office: Office, kind: Any) -> list[Any]:
    return [event for event in await office.announced() if isinstance(event, kind)]


async def ask(persons: Persons, task_id: str, by: str = "anna") -> Any:
    await persons.post(f"/v1/tasks/{task_id}/claim", by=by)
    return await persons.post(f"/v1/tasks/{task_id}/question", QUESTION, by=by)


# --- clarification ------------------------------------------------------------------------------------------


async def test_a_question_stops_the_clock_and_the_answer_starts_it_again(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    async with database.transaction() as connection:  # a day of the officers' clock has passed
        await connection.execute(text("UPDATE assessments SET due_at = due_at - interval '1 day'"))
    answer = await ask(persons, task_id)
    assert (answer.status_code, answer.json()["waits_for"]) == (200, "applicant")

    [question] = await told(office, ClarificationRequested)
    assert question.question.en == "What is it for?"
    held = await office.find(submitted)
    assert (held.waits_for, held.due_at) == ("applicant", None)
    closed = [one for one in (await persons.get("/v1/tasks?status=closed"))["items"] if one["task_id"] == task_id]
    assert [one["outcome"] for one in closed] == ["asked"]
    async with database.transaction() as connection:  # looked at meanwhile: it goes on waiting for the applicant
        await connection.execute(text("UPDATE assessments SET next_try_at = now()"))
    await office.assess()
    assert (await office.find(submitted)).waits_for == "applicant"

    await office.submit(said(ClarificationAnswered, submitted, answer="训练模型"))
    await office.assess()
    held = await office.find(submitted)
    assert held.waits_for == "officer"
    assert held.due_at is not None
    left = held.due_at - datetime.now(UTC)
    assert Clocks().officer.within - timedelta(days=1, minutes=5) < left <= Clocks().officer.within - timedelta(days=1)
    task = await persons.task(submitted.application_id)
    assert datetime.fromisoformat(task["due_at"]) == held.due_at
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert [(one["kind"], one["by"]) for one in detail["facts"]["statements"]["said"]] == [
        ("question", "anna"),
        ("answer", APPLICANT),
    ]
    assert [event.holder for event in await told(office, ReviewOpened)] == ["officer", "officer"]


async def test_what_was_said_voids_the_votes_before_it_and_replays(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await persons.decide(task_id, "bo")
    await ask(persons, task_id)
    await office.submit(said(ClarificationAnswered, submitted, answer="训练模型"))
    await office.assess()
    task_id = (await persons.task(submitted.application_id))["task_id"]
    assert (await persons.get(f"/v1/tasks/{task_id}"))["votes"] == []
    for officer in ("anna", "bo"):
        assert (await persons.decide(task_id, officer)).is_success
    await office.assess()
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert (shown["outcome"], shown["replay"]["identical"]) == ("approved", True)
    assert len(shown["facts"]["statements"]["said"]) == 2


async def test_only_the_holder_of_a_review_asks(office: Office, database: Database, persons: Persons) -> None:
    submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    early = await persons.post(f"/v1/tasks/{task_id}/question", QUESTION, by="anna")
    assert (early.status_code, early.json()["code"]) == (409, "task_not_held")
    await persons.post(f"/v1/tasks/{task_id}/claim", by="bo")
    refused = await persons.post(f"/v1/tasks/{task_id}/question", QUESTION, by="anna")
    assert refused.json()["code"] == "task_held"
    half = await persons.post(f"/v1/tasks/{task_id}/question", {"question": {"zh-CN": "问"}}, by="bo")
    assert half.status_code == 422
    assert await told(office, ClarificationRequested) == []
    assert (await office.find(submitted)).waits_for == "officer"


async def test_whoever_does_not_answer_lapses_and_leaves_nothing(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await waiting(office, database)
    await ask(persons, (await persons.task(submitted.application_id))["task_id"])
    await office.submit(withdrawn(submitted))
    await office.submit(said(ClarificationAnswered, submitted, answer="too late"))
    await office.assess()
    assert (await office.find(submitted)).status == "withdrawn"
    assert await told(office, ApplicationApproved) == []


# --- objections ---------------------------------------------------------------------------------------------


async def test_an_objection_during_the_notice_brings_it_back_to_persons(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await waiting(office, database, review=Review(route="persons", public_notice_days=7))
    path = f"/v1/assessments/{submitted.application_id}/objections"
    early = await persons.post(path, {"grounds": "not theirs"}, by="bo")
    assert (early.status_code, early.json()["code"]) == (409, "not_on_public_notice")
    await persons.decide((await persons.task(submitted.application_id))["task_id"], "anna")
    await office.assess()
    assert (await office.find(submitted)).waits_for == "public_notice"

    assert (await persons.post(path, {"grounds": "The contract was signed by others"}, by="bo")).status_code == 201
    await office.assess()
    task = await persons.task(submitted.application_id)
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert (task["kind"], detail["votes"]) == ("review", [])
    assert [one["words"] for one in detail["facts"]["statements"]["said"]] == ["The contract was signed by others"]

    await persons.decide(task["task_id"], "anna")
    await office.assess()
    assert (await office.find(submitted)).waits_for == "public_notice"  # the notice begins anew
    with pytest.raises(DBAPIError, match="only ever added to"):
        async with database.transaction() as connection:
            await connection.execute(text("DELETE FROM statements"))


# --- appeals ------------------------------------------------------------------------------------------------


async def test_an_appeal_that_is_upheld_opens_it_again_and_keeps_the_old_decision(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    registers.answer("credit_record", {"blacklisted": True})
    submitted, first = await rejected(office, database, registers)
    registers.answer("credit_record", {"blacklisted": True})  # and it still is: the persons know better
    await office.submit(said(AppealLodged, submitted, grounds="名单有误"))
    task = await persons.task(submitted.application_id)
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert (task["kind"], detail["grounds"], detail["computed"]) == ("appeal", "名单有误", 600_000 * FEN)
    assert {one["code"] for one in detail["reasons"] if one["outcome"] == "not_met"} == {
        one.code for one in first.reasons if one.outcome == "not_met"
    }
    assert (await persons.decide(task["task_id"], "anna", amount=500_000 * FEN)).is_success
    [decided] = await told(office, AppealDecided)
    assert decided.upheld
    await office.assess()

    [approved] = await told(office, ApplicationApproved)
    assert approved.approved == Money(500_000 * FEN)
    assert {one.code for one in approved.reasons if one.text.en == REASONS["en"]} >= {"appeal"}
    assert all(one.outcome == "met" for one in approved.reasons)
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert (shown["outcome"], shown["replay"]["identical"]) == ("approved", True)
    [earlier] = shown["earlier"]
    assert (earlier["because"], earlier["outcome"], earlier["replay"]["identical"]) == ("appeal", "rejected", True)
    lines = [line async for line in replays(database, Shelf(), submitted.scheme, BEGINNING)]
    assert lines == [b'{"decisions":2,"identical":2}\n']


async def test_an_appeal_that_is_dismissed_changes_nothing(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    submitted, _ = await rejected(office, database, registers)
    await office.submit(said(AppealLodged, submitted, grounds="名单有误"))
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await persons.decide(task_id, "anna", "reject")
    [decided] = await told(office, AppealDecided)
    assert (decided.upheld, [one.outcome for one in decided.reasons]) == (False, ["not_met"])
    assert await office.assess() == 0
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert (shown["outcome"], shown["earlier"]) == ("rejected", [])
    late = await persons.decide(task_id, "bo")
    assert late.json()["code"] == "task_closed"


async def test_whoever_rejected_it_does_not_decide_the_appeal_and_two_do_above_the_threshold(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    submitted = await waiting(office, database)
    await persons.decide((await persons.task(submitted.application_id))["task_id"], "anna", "reject")
    await office.assess()
    await office.submit(said(AppealLodged, submitted, grounds="材料齐全"))
    task_id = (await persons.task(submitted.application_id))["task_id"]
    refused = await persons.decide(task_id, "anna")
    assert (refused.status_code, refused.json()["code"]) == (403, "decided_before")
    await persons.post(f"/v1/tasks/{task_id}/release", by="anna")
    await persons.post("/v1/interests", {"applicant": APPLICANT, "why": "my brother's"}, by="cleo")
    assert (await persons.decide(task_id, "cleo")).json()["code"] == "interest_declared"

    assert (await persons.decide(task_id, "bo")).json() == {"task_id": task_id, "votes": 1, "needed": 2}
    assert await told(office, AppealDecided) == []
    assert (await persons.decide(task_id, "bo")).json()["code"] == "voted_before"
    await persons.post(f"/v1/tasks/{task_id}/release", by="bo")
    assert (await persons.decide(task_id, "dora")).is_success
    await office.assess()
    [approved] = await told(office, ApplicationApproved)
    assert approved.approved == Money(600_000 * FEN)
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert shown["facts"]["appeal"]["by"] == ["bo", "dora"]


async def test_no_person_waives_that_a_contract_counts_once(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    scheme = await published(database)
    signed = contract()
    first, second = (asked(scheme, signed=signed) for _ in range(2))
    await office.submit(first)
    await office.assess()
    await office.submit(second)
    await office.assess()
    await office.submit(said(AppealLodged, second, grounds="另一份合同"))
    task_id = (await persons.task(second.application_id))["task_id"]
    refused = await persons.decide(task_id, "anna")
    assert (refused.status_code, refused.json()["code"]) == (409, "appeal_cannot_be_upheld")
    assert "contract-already-supported" in refused.json()["detail"]
    assert (await persons.post(f"/v1/tasks/{task_id}/release", by="anna")).is_success
    assert (await persons.decide(task_id, "bo", "reject")).is_success


async def test_an_upheld_appeal_waits_for_registers_that_are_away(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    submitted, _ = await rejected(office, database, registers)
    await office.submit(said(AppealLodged, submitted, grounds="名单有误"))
    for name in ("business_registration", "credit_record", "related_companies", "provider"):
        registers.fail(name)
    await persons.decide((await persons.task(submitted.application_id))["task_id"], "anna")
    await office.assess()
    held = await office.find(submitted)
    assert (held.status, held.waits_for, held.outcome) == ("waiting", "registers", "rejected")
    assert await told(office, ApplicationApproved) == []


async def test_an_appeal_against_what_was_not_rejected_is_nothing(
    office: Office, database: Database, persons: Persons
) -> None:
    submitted = await waiting(office, database)
    await office.submit(said(AppealLodged, submitted, grounds="again"))
    assert (await persons.task(submitted.application_id))["kind"] == "review"
