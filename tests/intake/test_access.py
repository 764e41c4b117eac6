"""Who may call intake: portals by their own tokens, each seeing what it sent; officers and auditors see everything."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from kit.database import Database
from tests.intake.conftest import calling
from tests.intake.scenes import PROVIDER, USCC, Portal, application, claim
from tests.kit.issuer import Issuer

PDF = b"%PDF-1.7 a contract"


def keyed() -> dict[str, str]:
    return {"idempotency-key": str(uuid4()), "accept-language": "en"}


CALLS = [
    ("POST", "/v1/applications"),
    ("PATCH", "/v1/applications/{id}"),
    ("POST", "/v1/applications/{id}/submission"),
    ("POST", "/v1/applications/{id}/withdrawal"),
    ("POST", "/v1/applications/{id}/clarification"),
    ("POST", "/v1/applications/{id}/appeal"),
    ("POST", "/v1/awards/{id}/claims"),
    ("POST", "/v1/documents"),
    ("POST", "/v1/documents/{id}/confirmation"),
    ("GET", "/v1/applications"),
    ("GET", "/v1/applications/{id}"),
    ("GET", "/v1/applications/{id}/timeline"),
    ("GET", "/v1/awards/{id}"),
    ("GET", "/v1/claims/{id}"),
    ("GET", "/v1/documents/{id}"),
    ("GET", "/v1/documents/{id}/content"),
    ("GET", "/v1/vouchers/CV-1"),
    ("GET", "/v1/events"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
    ("GET", "/v1/webhooks/{id}"),
    ("PATCH", "/v1/webhooks/{id}"),
    ("DELETE", "/v1/webhooks/{id}"),
    ("POST", "/v1/webhooks/{id}/test"),
    ("GET", "/v1/webhooks/{id}/deliveries"),
    ("POST", "/v1/webhooks/{id}/deliveries/{id}/redelivery"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_no_call_but_the_schemes_is_answered_without_a_token(
    app: FastAPI, issuer: Issuer, method: str, path: str
) -> None:
    place = path.replace("{id}", str(uuid4()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://intake") as stranger:
        answer = await stranger.request(method, place, headers={"accept-language": "en"})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await stranger.get("/v1/schemes")).status_code == 200
    async with calling(app, issuer, "policy-editor") as another:
        answer = await another.request(method, place, headers={"accept-language": "en"})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_every_call_of_the_api_is_in_this_list(app: FastAPI) -> None:
    known = {(method, path.replace("{id}", "{}").replace("CV-1", "{}")) for method, path in CALLS}
    found = set()
    for path, calls in app.openapi()["paths"].items():
        if path.startswith("/v1/") and not path.startswith("/v1/schemes"):
            shape = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
            found |= {(method.upper(), shape) for method in calls}
    assert found == known


async def test_a_portal_sees_what_it_sent_and_nothing_else(app: FastAPI, portal: Portal, issuer: Issuer) -> None:
    document = (await portal.upload(PDF)).json()["document_id"]
    created, award = await portal.awarded(documents=[document])
    made = (await portal.claim(award.award_id)).json()
    places = [
        f"/v1/applications/{created['application_id']}",
        f"/v1/applications/{created['application_id']}/timeline",
        f"/v1/awards/{award.award_id}",
        f"/v1/claims/{made['claim_id']}",
        f"/v1/documents/{document}",
        f"/v1/documents/{document}/content",
    ]
    async with calling(app, issuer, client_id="another-portal") as other:
        for place in places:
            assert (await other.get(place)).status_code == 404, place
            assert (await portal.client.get(place)).status_code == 200, place
        assert (await other.get("/v1/applications")).json()["items"] == []
        for step, body in (("withdrawal", {}), ("clarification", {"answer": "x"}), ("appeal", {"grounds": "x"})):
            path = f"/v1/applications/{created['application_id']}/{step}"
            assert (await other.post(path, json=body, headers=keyed())).status_code == 404
        stolen = await other.post(f"/v1/awards/{award.award_id}/claims", json=claim("F-9"), headers=keyed())
        assert (stolen.status_code, stolen.json()["code"]) == (404, "award_not_found")
        borrowed = await other.post("/v1/applications", json=application(documents=[document]), headers=keyed())
        assert (borrowed.status_code, borrowed.json()["code"]) == (422, "unknown_document")
    for scope in ("officer", "auditor"):
        async with calling(app, issuer, scope, client_id="desk") as official:
            for place in places:
                assert (await official.get(place)).status_code == 200, place
            assert len((await official.get("/v1/applications")).json()["items"]) == 1


async def test_the_same_key_of_two_portals_is_two_keys(app: FastAPI, portal: Portal, issuer: Issuer) -> None:
    first = await portal.apply("the-key")
    async with calling(app, issuer, client_id="another-portal") as other:
        second = await other.post(
            "/v1/applications", json=application(), headers=keyed() | {"idempotency-key": "the-key"}
        )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["application_id"] != second.json()["application_id"]


async def test_a_provider_sees_the_vouchers_on_its_own_contracts(portal: Portal, empty_database: Database) -> None:
    created, award = await portal.awarded()
    voucher = await portal.voucher(award.voucher_code, PROVIDER)
    assert (voucher.status_code, voucher.json()["holder"]["uscc"]) == (200, USCC)
    assert (await portal.voucher(award.voucher_code, USCC)).status_code == 404
    assert created["status"] == "submitted"


async def test_a_token_that_does_not_count_is_refused(app: FastAPI, issuer: Issuer) -> None:
    flaws: dict[str, dict[str, Any]] = {"exp": {"exp": 1}, "aud": {"aud": "somebody-else"}, "iss": {"iss": "https://x"}}
    answers: dict[str, Any] = {}
    for name, claims in flaws.items():
        headers = {"authorization": f"Bearer {issuer.token('portal', **claims)}", "accept-language": "en"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://intake") as client:
            answer = await client.get("/v1/applications", headers=headers)
        answers[name] = (answer.status_code, answer.json()["code"])
    assert set(answers.values()) == {(401, "token_invalid")}
