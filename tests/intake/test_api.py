"""What the portal is told by intake, for good input and for bad."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.events import ApplicationSubmitted, ApplicationWithdrawn, ClaimSubmitted
from intake import tables
from tests.intake.scenes import USCC, Portal, application, publish_policy


async def test_schemes_are_listed_from_published_policies(portal: Portal) -> None:
    [scheme] = (await portal.client.get("/v1/schemes")).json()["items"]

    assert (scheme["scheme"], scheme["open"], scheme["rate_basis_points"]) == ("test-voucher", True, 6000)
    assert (await portal.client.get("/v1/schemes/test-voucher")).json() == scheme
    assert (await portal.client.get("/v1/schemes/nothing")).status_code == 404


async def test_a_submission_is_stored_and_told(portal: Portal) -> None:
    response = await portal.apply()

    created = response.json()
    assert (response.status_code, created["status"]) == (201, "submitted")
    assert response.headers["location"] == f"/v1/applications/{created['application_id']}"
    assert created["number"].startswith(f"TV-{datetime.now(UTC).year}-")
    assert await portal.state(created["application_id"]) == created
    [event] = await portal.told()
    assert isinstance(event, ApplicationSubmitted)
    assert (event.applicant, event.request.money.amount) == (USCC, 100_000_000)


async def test_contact_details_stay_in_intake(portal: Portal) -> None:
    await portal.apply()

    assert "example.com" not in str(await portal.told())


async def test_a_draft_is_changed_then_submitted(portal: Portal) -> None:
    created = (await portal.apply(submit=False)).json()
    assert (created["status"], await portal.told()) == ("draft", [])
    url = f"/v1/applications/{created['application_id']}"
    parts = {"applicant": application(**{"applicant.headcount": 99})["applicant"]}

    changed = await portal.client.patch(url, json=parts, headers={"if-match": '"1"'})
    stale = await portal.client.patch(url, json=parts, headers={"if-match": '"1"'})
    submitted = await portal.client.post(f"{url}/submission")
    again = await portal.client.post(f"{url}/submission", headers={"accept-language": "en"})

    assert (changed.status_code, changed.headers["etag"], stale.status_code) == (200, '"2"', 412)
    assert (submitted.json()["status"], submitted.json()["applicant"]["headcount"]) == ("submitted", 99)
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    assert len(await portal.told()) == 1


async def test_the_same_key_and_body_give_the_same_answer_and_one_effect(portal: Portal) -> None:
    first = await portal.apply("key-1")
    second = await portal.apply("key-1")

    assert (first.status_code, first.content, first.headers["location"]) == (
        second.status_code,
        second.content,
        second.headers["location"],
    )
    assert await portal.count(tables.applications) == 1


async def test_another_body_under_a_key_is_refused(portal: Portal) -> None:
    await portal.apply("key-1")
    other = await portal.apply("key-1", **{"applicant.headcount": 13})

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await portal.count(tables.applications) == 1


async def test_a_hundred_callers_with_one_key_get_one_application(portal: Portal) -> None:
    answers = await asyncio.gather(*[portal.apply("key-1") for _ in range(100)])

    assert {answer.content for answer in answers} == {answers[0].content}
    assert await portal.count(tables.applications) == 1


async def test_a_key_is_asked_for(portal: Portal) -> None:
    response = await portal.client.post("/v1/applications", json=application(), headers={"accept-language": "en"})

    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")
    assert "UUID" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "value", "pointer", "says"),
    [
        ("applicant.uscc", "914403007084611360", "/applicant/uscc", "comes T"),
        ("applicant.uscc", "91440300708461136", "/applicant/uscc", "18"),
        ("applicant.registered_on", "2024-02-30", "/applicant/registered_on", "date"),
        ("applicant.district", "mars", "/applicant/district", "nanshan, longgang"),
        ("applicant.colour", "red", "/applicant/colour", "not permitted"),
        ("applicant.headcount", "12", "/applicant/headcount", "integer"),
        ("request.money.amount", -1, "/request/money/amount", "greater than 0"),
        ("request.money.amount", 0, "/request/money/amount", "greater than 0"),
        ("request.money.amount", 10.5, "/request/money/amount", "integer"),
        ("request.money.amount", 2**53, "/request/money/amount", "9007199254740991"),
        ("request.money.currency", "USD", "/request/money/currency", "CNY"),
        ("request.contract.ends_on", "2001-01-01", "/request/contract", "before starts_on"),
        ("request.contract.signed_on", "2098-01-01", "/request/contract/signed_on", "later than today"),
        ("scheme", "no-such-scheme", "/scheme", "test-voucher"),
        ("applicant.name", "a\0b", "/applicant/name", "U+0000"),
        ("request.details", {"a": ["\0"]}, "/request/details/a/0", "U+0000"),
        ("documents", [str(uuid4())], "/documents/0", "Upload it first"),
        ("applicant.registered_on", "2098-01-01", "/applicant/registered_on", "later than today"),
    ],
)
async def test_bad_input_names_the_field_and_the_cure(
    portal: Portal, path: str, value: Any, pointer: str, says: str
) -> None:
    response = await portal.apply(**{path: value})

    problem = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["pointer"] == pointer
    assert says in problem["detail"]
    assert await portal.count(tables.applications) == 0


async def test_malformed_json_is_said_to_be_that(portal: Portal) -> None:
    headers = {"idempotency-key": "k", "content-type": "application/json", "accept-language": "en"}
    response = await portal.client.post("/v1/applications", content=b'{"scheme": ', headers=headers)

    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


async def test_a_closed_window_refuses_submissions_but_takes_drafts(portal: Portal) -> None:
    async with portal.database.transaction() as connection:
        await publish_policy(connection, scheme="closed-voucher", windows=())

    refused = await portal.apply(scheme="closed-voucher")
    draft = await portal.apply(scheme="closed-voucher", submit=False)

    assert (refused.status_code, refused.json()["code"]) == (409, "window_closed")
    assert draft.status_code == 201


async def test_problems_speak_the_callers_language(portal: Portal) -> None:
    chinese = await portal.client.get(f"/v1/applications/{uuid4()}", headers={"accept-language": "zh-CN"})
    english = await portal.client.get(f"/v1/applications/{uuid4()}", headers={"accept-language": "en-GB,zh;q=0.5"})

    assert chinese.json()["detail"].startswith("未找到")
    assert english.json()["detail"].startswith("There is no application")


async def test_an_application_can_be_withdrawn_until_it_is_awarded(portal: Portal) -> None:
    created = (await portal.apply()).json()
    url = f"/v1/applications/{created['application_id']}/withdrawal"
    withdrawn = await portal.client.post(url, json={"reason": "changed our mind"})
    assert withdrawn.json()["status"] == "withdrawn"
    assert isinstance((await portal.told())[-1], ApplicationWithdrawn)

    awarded, _ = await portal.awarded()
    refused = await portal.client.post(f"/v1/applications/{awarded['application_id']}/withdrawal")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")


async def test_a_claim_is_stored_and_told(portal: Portal) -> None:
    created, award = await portal.awarded()

    response = await portal.claim(award.award_id)

    assert response.status_code == 201
    assert (await portal.client.get(response.headers["location"])).json() == response.json()
    [state] = (await portal.state(created["application_id"]))["claims"]
    assert state["status"] == "submitted"
    assert isinstance((await portal.told())[-1], ClaimSubmitted)


async def test_an_invoice_counts_once_however_claims_race(portal: Portal) -> None:
    _, first = await portal.awarded()
    _, second = await portal.awarded(**{"request.contract.number": "HT-2"})

    answers = await asyncio.gather(*[portal.claim(award.award_id) for award in (first, second) for _ in range(10)])

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"invoice_already_claimed"}
    assert await portal.count(tables.claims) == 1


@pytest.mark.parametrize(
    ("path", "value", "pointer", "code"),
    [
        ("invoices.0.seller", "914403001921814900", "/invoices/0/seller", "validation_failed"),
        ("invoices.0.money.amount", 1.5, "/invoices/0/money/amount", "validation_failed"),
        ("invoices.0.tax.amount", 20_000_000, "/invoices/0", "validation_failed"),
        ("invoices.0.issued_on", "2098-01-01", "/invoices/0/issued_on", "date_in_future"),
        ("usage", None, "/usage", "usage_missing"),
        ("usage.statement", "01a20408-5fa5-7442-b3c5-d03ff5eb2e7b", "/usage/statement", "unknown_document"),
        ("invoices", [], "/invoices", "invoices_missing"),
    ],
)
async def test_a_bad_claim_names_the_field(portal: Portal, path: str, value: Any, pointer: str, code: str) -> None:
    _, award = await portal.awarded()

    response = await portal.claim(award.award_id, **{path: value})

    assert (response.status_code, response.json()["pointer"], response.json()["code"]) == (422, pointer, code)
    assert await portal.count(tables.claims) == 0


async def test_a_claim_against_nothing_is_404(portal: Portal) -> None:
    response = await portal.claim(uuid4())

    assert (response.status_code, response.json()["code"]) == (404, "award_not_found")


async def test_the_list_pages_through_everything_once_while_rows_arrive(portal: Portal) -> None:
    expected = [(await portal.apply()).json()["application_id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await portal.client.get("/v1/applications", params=params)).json()
        seen += [item["application_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        if len(seen) == 2:
            expected.append((await portal.apply()).json()["application_id"])

    assert seen == expected


async def test_search_filters(portal: Portal) -> None:
    await portal.apply()
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    found = await portal.client.get("/v1/applications", params={"applicant": USCC, "status": "submitted"})
    none = await portal.client.get("/v1/applications", params={"submitted_from": later})

    assert len(found.json()["items"]) == 1
    assert none.json()["items"] == []


@pytest.mark.parametrize(
    "search", [{"aplicant": USCC}, {"status": "award"}, {"submitted_from": "2026-01-01T00:00:00"}, {"limit": "0"}]
)
async def test_a_search_that_would_find_something_else_is_refused(portal: Portal, search: dict[str, str]) -> None:
    await portal.apply()

    answer = await portal.client.get("/v1/applications", params=search)

    assert (answer.status_code, answer.json()["pointer"]) == (422, f"query:{next(iter(search))}")
