"""Claims that persons have to accept: they wait with what counts in them, and the last vote settles them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.common import Text
from contracts.events import ClaimRejected, ClaimVerified
from contracts.money import Money
from contracts.policy import ClaimRules
from kit.database import Database
from tests.eligibility.office import Office
from tests.eligibility.persons import REASONS, Persons, asked, process, published
from tests.eligibility.scenes import claim, claim_withdrawn, invoice

ACCEPTED = ClaimRules(accepted_by=Text("场景业主", "The scenario's owner"), usage_required=False)


@pytest.fixture
async def persons(database: Database) -> AsyncIterator[Persons]:
    async with process(database) as persons:
        yield persons


async def claimed(office: Office, database: Database, rules: ClaimRules = ACCEPTED) -> Any:
    scheme = await published(database, claims=rules)
    submitted = asked(scheme)
    await office.submit(submitted)
    await office.assess()
    sent = claim(submitted, invoice("A1"), usage=None)
    await office.submit(sent)
    return sent


async def told(office: Office) -> list[Any]:
    return [event for event in await office.announced() if isinstance(event, ClaimVerified | ClaimRejected)]


async def test_a_claim_waits_until_it_is_accepted(office: Office, database: Database, persons: Persons) -> None:
    sent = await claimed(office, database)
    assert await told(office) == []
    task = await persons.task(sent.application_id)
    assert (task["kind"], task["claim_id"]) == ("acceptance", str(sent.claim_id))
    detail = await persons.get(f"/v1/tasks/{task['task_id']}")
    assert (detail["computed"], detail["needed"]) == (94_000, 1)
    assert (await persons.decide(task["task_id"], "anna", amount=90_000)).is_success
    [event] = await told(office)
    assert isinstance(event, ClaimVerified)
    assert (event.claim_id, event.eligible) == (sent.claim_id, Money(90_000))


async def test_a_claim_that_is_not_accepted_frees_its_invoices(
    office: Office, database: Database, persons: Persons
) -> None:
    sent = await claimed(office, database)
    await persons.decide((await persons.task(sent.application_id))["task_id"], "anna", "reject")
    [event] = await told(office)
    assert isinstance(event, ClaimRejected)
    assert event.reasons[-1].text == Text(REASONS["zh-CN"], REASONS["en"])
    assert await office.scalar("SELECT count(*) FROM counted_invoices") == 0


async def test_as_many_persons_accept_as_the_policy_wants(office: Office, database: Database, persons: Persons) -> None:
    rules = ClaimRules(accepted_by=Text("投委会", "The committee"), accepting_persons=2, usage_required=False)
    sent = await claimed(office, database, rules)
    task_id = (await persons.task(sent.application_id))["task_id"]
    await persons.decide(task_id, "anna")
    assert await told(office) == []
    again = await persons.decide(task_id, "anna")
    assert again.json()["code"] == "voted_before"
    await persons.post(f"/v1/tasks/{task_id}/release", by="anna")
    await persons.decide(task_id, "bo")
    assert [type(event) for event in await told(office)] == [ClaimVerified]


async def test_a_claim_that_is_withdrawn_while_it_waits_frees_its_invoices(
    office: Office, database: Database, persons: Persons
) -> None:
    sent = await claimed(office, database)
    task_id = (await persons.task(sent.application_id))["task_id"]
    await office.submit(claim_withdrawn(sent))
    assert (await persons.decide(task_id, "anna")).json()["code"] == "task_closed"
    assert await office.scalar("SELECT count(*) FROM counted_invoices") == 0
    assert await told(office) == []
