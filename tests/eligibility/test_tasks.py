"""Persons decide over the API: never alone above the threshold, never with an interest, never twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from contracts.common import Text
from contracts.events import (
    ApplicationApproved,
    ApplicationRejected,
    ApplicationSubmitted,
    ReviewOpened,
)
from contracts.money import Money
from contracts.policy import Policy, Review
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import REASONS, Persons, asked, process, published
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT, FEN, POLICY, withdrawn

SECOND = Review(route="persons", second_above=Money(100_000 * FEN))


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def waiting(office: Office, database: Database, **policy: Any) -> tuple[Policy, ApplicationSubmitted]:
    """An application that meets everything and waits for persons: CNY 600,000 are computed."""
    scheme = await published(database, **{"review": SECOND} | policy)
    submitted = asked(scheme)
    await office.submit(submitted)
    await office.assess()
    return scheme, submitted


async def outcome(office: Office, submitted: ApplicationSubmitted) -> str | None:
    await office.assess()
    return (await office.find(submitted)).outcome


async def test_an_application_that_meets_everything_waits_for_persons(
    office: Office, database: Database, persons: Persons
) -> None:
    scheme, submitted = await waiting(office, database)
    [opened] = [event for event in await office.announced() if isinstance(event, ReviewOpened)]
    assert (opened.holder, opened.application_id) == ("officer", submitted.application_id)
    task = await persons.task(submitted.application_id)
    assert (task["kind"], task["scheme"], task["holder"]) == ("review", scheme.scheme, None)
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert (detail["computed"], detail["needed"], detail["votes"]) == (60_000_000, 2, [])
    assert detail["facts"]["business_registration"]["found"] is True
    assert {reason["code"] for reason in detail["reasons"] if reason["outcome"] != "met"} == {"review"}


async def test_two_persons_approve_above_the_threshold(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    first = await persons.decide(task_id, "anna", amount=50_000_000)
    assert first.json() == {"task_id": task_id, "votes": 1, "needed": 2}
    assert await outcome(office, submitted) is None

    again = await persons.decide(task_id, "anna")
    assert (again.status_code, again.json()["code"]) == (403, "voted_before")
    await persons.post(f"/v1/tasks/{task_id}/release", by="anna")
    assert (await persons.decide(task_id, "bo")).status_code == 200

    assert await outcome(office, submitted) == "approved"
    [event] = [event for event in await office.announced() if isinstance(event, ApplicationApproved)]
    assert event.approved == Money(50_000_000)
    assert {reason.code for reason in event.reasons} >= {"review"}
    closed = (await persons.get("/v1/tasks?status=closed"))["items"]
    assert [task["outcome"] for task in closed if task["task_id"] == task_id] == ["approved"]


async def test_one_person_is_enough_below_the_threshold(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    voted = await persons.decide(task_id, "anna", amount=100_000 * FEN)
    assert (voted.json()["votes"], voted.json()["needed"]) == (1, 1)
    assert await outcome(office, submitted) == "approved"


async def test_nobody_approves_twice_under_two_roles(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    assert (await persons.decide(task_id, "anna")).is_success
    again = await persons.decide(task_id, "anna", scope="officer policy-editor auditor")
    assert (again.status_code, again.json()["code"]) == (403, "voted_before")
    assert await outcome(office, submitted) is None


async def test_one_person_who_asks_many_times_at_once_has_one_vote(
    office: Office, database: Database, persons: Persons
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await persons.post(f"/v1/tasks/{task_id}/claim", by="anna")
    body = {"outcome": "approve", "reasons": REASONS}
    path = f"/v1/tasks/{task_id}/decision"
    answers = await asyncio.gather(*(persons.post(path, body, by="anna") for _ in range(8)))
    assert sorted(answer.is_success for answer in answers) == [False] * 7 + [True]
    assert await outcome(office, submitted) is None


async def test_a_rejection_ends_it_with_the_persons_words(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await persons.decide(task_id, "anna", "reject", reasons={"zh-CN": "材料不实", "en": "The papers are not true"})
    assert await outcome(office, submitted) == "rejected"
    [event] = [event for event in await office.announced() if isinstance(event, ApplicationRejected)]
    [reason] = [reason for reason in event.reasons if reason.outcome == "not_met"]
    assert (reason.code, reason.text) == ("review", Text("材料不实", "The papers are not true"))


async def test_whoever_declared_an_interest_is_out_of_reach(
    office: Office, database: Database, persons: Persons
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    declared = await persons.post("/v1/interests", {"applicant": APPLICANT, "why": "my brother's"}, by="cleo")
    assert declared.status_code == 201
    for path in ("claim", "release"):
        refused = await persons.post(f"/v1/tasks/{task_id}/{path}", by="cleo")
        assert (refused.status_code, refused.json()["code"]) == (403, "interest_declared")
    refused = await persons.post(f"/v1/tasks/{task_id}/decision", {"outcome": "approve", "reasons": REASONS}, by="cleo")
    assert (refused.status_code, refused.json()["code"]) == (403, "interest_declared")
    assert (await persons.get(f"/v1/tasks/{task_id}", by="cleo"))["code"] == "interest_declared"
    assert task_id not in {task["task_id"] for task in (await persons.get("/v1/tasks", by="cleo"))["items"]}
    assert await outcome(office, submitted) is None


async def test_an_interest_that_is_declared_later_takes_the_vote_with_it(
    office: Office, database: Database, persons: Persons
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id, by="bo"))["task_id"]
    await persons.decide(task_id, "nora")
    await persons.post("/v1/interests", {"applicant": APPLICANT, "why": "shares, since today"}, by="nora")
    await persons.decide(task_id, "bo")
    assert await outcome(office, submitted) is None
    await persons.decide(task_id, "emil")
    assert await outcome(office, submitted) == "approved"


async def test_a_change_after_a_vote_voids_it(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await persons.decide(task_id, "anna")
    registers.answer("business_registration", {"status": "active", "name": "another", "capital": 1})
    await office.assess()
    detail = await persons.get(f"/v1/tasks/{task_id}")
    assert detail["votes"] == []
    for officer in ("bo", "anna"):
        assert await outcome(office, submitted) is None
        assert (await persons.decide(task_id, officer)).is_success
    assert await outcome(office, submitted) == "approved"


async def test_what_stops_meeting_the_criteria_is_rejected_whatever_was_voted(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    registers.answer("credit_record", {"blacklisted": True})
    await persons.decide(task_id, "anna")
    assert await outcome(office, submitted) == "rejected"


async def test_a_decision_by_persons_replays(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    for officer in ("anna", "bo"):
        await persons.decide(task_id, officer)
    assert await outcome(office, submitted) == "approved"
    shown = await persons.get(f"/v1/assessments/{submitted.application_id}")
    assert shown["replay"]["identical"] is True
    assert [vote["officer"] for vote in shown["facts"]["review"]["votes"]] == ["anna", "bo"]


async def test_a_task_has_one_holder(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    body = {"outcome": "approve", "reasons": REASONS}
    early = await persons.post(f"/v1/tasks/{task_id}/decision", body, by="anna")
    assert (early.status_code, early.json()["code"]) == (409, "task_not_held")
    answers = await asyncio.gather(*(persons.post(f"/v1/tasks/{task_id}/claim", by=who) for who in ("anna", "bo")))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    loser = "bo" if answers[0].is_success else "anna"
    refused = await persons.post(f"/v1/tasks/{task_id}/decision", body, by=loser)
    assert (refused.status_code, refused.json()["code"]) == (409, "task_held")


async def test_a_withdrawn_application_leaves_no_task(office: Office, database: Database, persons: Persons) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    await office.submit(withdrawn(submitted))
    late = await persons.decide(task_id, "anna")
    assert (late.status_code, late.json()["code"]) == (409, "task_closed")


async def test_public_notice_is_waited_for(office: Office, database: Database, persons: Persons) -> None:
    review = Review(route="persons", public_notice_days=7)
    _, submitted = await waiting(office, database, review=review)
    await persons.decide((await persons.task(submitted.application_id))["task_id"], "anna")
    assert await outcome(office, submitted) is None
    assert [e.holder for e in await office.announced() if isinstance(e, ReviewOpened)] == ["officer", "public_notice"]
    held = await office.find(submitted)
    assert held.waits_for == "public_notice"
    assert held.due_at is None
    assert (held.facts or {})["review"]["votes"][0]["officer"] == "anna"
    [task] = [one for one in (await persons.get("/v1/tasks?status=closed"))["items"] if _is_of(one, submitted)]
    assert task["outcome"] == "public_notice"
    assert not [one for one in (await persons.get("/v1/tasks?status=open"))["items"] if _is_of(one, submitted)]


def _is_of(task: dict[str, Any], submitted: ApplicationSubmitted) -> bool:
    return bool(task["application_id"] == str(submitted.application_id))


async def test_facts_that_can_not_be_had_are_a_task_until_they_can(
    office: Office, database: Database, persons: Persons, registers: FakeRegisters
) -> None:
    criteria = tuple(msgspec.structs.replace(one, unknown="officer") for one in POLICY.criteria)
    scheme = await published(database, review=SECOND, criteria=criteria)
    registers.fail("credit_record")
    submitted = asked(scheme)
    await office.submit(submitted)
    await office.assess()
    facts = await persons.task(submitted.application_id)
    assert facts["kind"] == "facts"
    refused = await persons.decide(facts["task_id"], "anna")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_decide")
    registers.answers.clear()
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE assessments SET next_try_at = now()"))  # the back-off is over
    await office.assess()
    assert (await persons.task(submitted.application_id))["kind"] == "review"


async def test_only_officers_decide_and_only_auditors_read_the_audit(
    office: Office, database: Database, persons: Persons
) -> None:
    _, submitted = await waiting(office, database)
    task_id = (await persons.task(submitted.application_id))["task_id"]
    refused = await persons.decide(task_id, "anna", scope="auditor")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    await persons.decide(task_id, "anna")
    assert (await persons.get("/v1/audit"))["code"] == "scope_missing"
    lines = (await persons.get(f"/v1/audit?application_id={submitted.application_id}", scope="auditor"))["items"]
    assert [(line["who"], line["what"]) for line in lines] == [("anna", "task.claimed"), ("anna", "task.decided")]
    assert len(lines[1]["facts"]) == 64
    for table in ("audit", "votes"):
        with pytest.raises(DBAPIError, match="only ever added to"):
            async with database.transaction() as connection:
                await connection.execute(text(f"DELETE FROM {table}"))
