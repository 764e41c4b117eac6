"""The API, on the real database."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from eligibility import api
from eligibility.api import Parts
from eligibility.main import openapi
from eligibility.problems import PROBLEMS
from eligibility.shelf import Shelf
from kit.database import Database
from kit.http import create_app
from kit.identifiers import uuid7
from tests.eligibility.office import Office
from tests.eligibility.registers import FakeRegisters
from tests.eligibility.scenes import APPLICANT, OTHER_APPLICANT, POLICY, application
from tests.kit.issuer import Issuer, access_of, bearing


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    issuer = Issuer()
    issuer.come()
    app = create_app(service="eligibility", title="eligibility", description="", trouble={}, own_problems=PROBLEMS)
    app.include_router(api.router(Parts(Shelf(), database, access=access_of(issuer))))
    transport, headers = httpx.ASGITransport(app=app), bearing(issuer, "auditor")
    async with httpx.AsyncClient(transport=transport, base_url="http://eligibility", headers=headers) as client:
        yield client
    await issuer.go()


async def test_companies_business_is_read_with_a_token_only(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    for path in ("/v1/assessments", f"/v1/assessments/{uuid7()}"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), path
    for path in ("/v1/policies",):
        assert (await client.get(path)).status_code == 200, path


async def test_assessments_come_in_pages(office: Office, client: httpx.AsyncClient) -> None:
    submitted = [application() for _ in range(5)]
    await office.submit(*submitted)
    await office.assess()
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/assessments", params=params)).raise_for_status().json()
        seen += [item["application_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert [UUID(one) for one in seen] == sorted(one.application_id for one in submitted)


async def test_one_assessment_shows_facts_reasons_and_replay(
    office: Office, client: httpx.AsyncClient, registers: FakeRegisters
) -> None:
    registers.answer("credit_record", {"blacklisted": True}, code=OTHER_APPLICANT)
    one, other = application(), application(OTHER_APPLICANT)
    await office.submit(one, other)
    await office.assess()
    shown = (await client.get(f"/v1/assessments/{one.application_id}")).raise_for_status().json()
    assert shown["applicant"] == APPLICANT
    assert (shown["status"], shown["outcome"], shown["policy_version"]) == ("decided", "approved", POLICY.version)
    assert shown["approved"] == {"amount": 60_000_000, "currency": "CNY"}
    assert shown["facts"]["business_registration"]["found"] is True
    assert shown["facts"]["contract_support"] == {"held_by": str(one.application_id)}
    assert shown["replay"]["identical"] is True
    assert shown["replay"]["reasons"] == shown["reasons"]
    assert set(shown["reasons"][0]["text"]) == {"zh-CN", "en"}
    rejected = (await client.get(f"/v1/assessments/{other.application_id}")).raise_for_status().json()
    assert (rejected["outcome"], rejected["approved"], rejected["replay"]["identical"]) == ("rejected", None, True)


async def test_an_assessment_that_waits_has_no_decision_and_no_replay(
    office: Office, client: httpx.AsyncClient, registers: FakeRegisters
) -> None:
    registers.fail("credit_record")
    one = application()
    await office.submit(one)
    pending = (await client.get(f"/v1/assessments/{one.application_id}")).raise_for_status().json()
    assert (pending["status"], pending["facts"], pending["reasons"]) == ("pending", None, [])
    await office.assess()
    waiting = (await client.get(f"/v1/assessments/{one.application_id}")).raise_for_status().json()
    assert (waiting["status"], waiting["outcome"], waiting["waits_for"]) == ("waiting", None, "registers")
    assert waiting["replay"] is None
    assert {reason["code"] for reason in waiting["reasons"] if reason["outcome"] == "unknown"} == {"credit-record"}


async def test_policies_are_shown(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/policies")).raise_for_status().json()
    assert [(item["scheme"], item["version"]) for item in listed["items"]] == [(POLICY.scheme, POLICY.version)]
    one = (await client.get(f"/v1/policies/{POLICY.scheme}")).raise_for_status().json()
    assert one["items"][0]["document"]["rate"] == POLICY.rate


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/assessments/01a20408-5fa5-7442-b3c5-d03ff5eb2e7b", 404, "assessment_not_found"),
        ("/v1/policies/no-such-scheme", 404, "policy_not_found"),
        ("/v1/assessments/not-an-id", 422, "validation_failed"),
        ("/v1/assessments?limit=0", 422, "validation_failed"),
        ("/v1/assessments?limit=1001", 422, "validation_failed"),
        ("/v1/assessments?cursor=x", 422, "validation_failed"),
    ],
)
async def test_what_is_not_there_or_not_right_is_a_problem(
    client: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(path, headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_openapi_document_needs_no_database() -> None:
    document = openapi()
    assert "/v1/assessments/{application_id}" in document["paths"]
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert call["summary"], path
            answered = call["responses"].get("200") or call["responses"]["201"]
            assert all(content["schema"] != {} for content in answered["content"].values()), path
