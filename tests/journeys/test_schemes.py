"""Schemes that no code knows live from their document alone; persons decide where a document leaves it to them."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from stack import issuer
from stack.simulators import bodies
from stack.simulators.asks import Ask, Wish
from stack.simulators.population import Role, company
from tests.journeys.traveller import PATIENCE_SECONDS, SEED, State, Traveller

DOCUMENT = Path(__file__).parent / "data-annotation-voucher.yaml"
SCHEME = "data-annotation-voucher"
REASONS = {"zh-CN": "同意", "en": "Agreed"}
YUAN = 100


async def call(traveller: Traveller, who: str, scope: str, path: str, body: Any = None) -> httpx.Response:
    """Call eligibility as a person with a token of the stack's own issuer."""
    token = issuer.mint(traveller.system.config.home, subject=who, scopes=[scope])
    headers = {"authorization": f"Bearer {token}", "accept-language": "en", "idempotency-key": str(uuid4())}
    url = f"{traveller.system.urls['eligibility']}{path}"
    if body is None:
        return await traveller.client.get(url, headers=headers)
    if isinstance(body, bytes):
        return await traveller.client.post(url, content=body, headers=headers)
    return await traveller.client.post(url, json=body, headers=headers)


async def offered(traveller: Traveller, scheme: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while scheme not in {one["scheme"] for one in (await traveller.get("intake", "/v1/schemes"))["items"]}:
        assert time.monotonic() < deadline, f"intake does not offer {scheme}"
        await asyncio.sleep(0.1)


def asked_for(traveller: Traveller, number: int, request: dict[str, Any], scheme: str = SCHEME, **of: Any) -> Ask:
    plain = traveller.ask_of(Role.ORDINARY, number)
    return replace(plain, company=replace(plain.company, **of), wish=Wish(scheme, request))


def request_of(yuan: int, **details: Any) -> dict[str, Any]:
    return {"money": bodies.money(yuan * YUAN), "contract": None, "details": details}


def claim_of(**what: Any) -> dict[str, Any]:
    return {"invoices": [], "usage": None, "milestone": None, "documents": [], "details": {}, **what}


def in_district(district: str) -> int:
    """Return the place, among the ordinary ones, of the first company of a district."""
    ordinary = [one for one in (company(SEED, index) for index in range(400)) if one.role is Role.ORDINARY]
    return next(place for place, one in enumerate(ordinary) if one.district == district and place > 30)


async def test_a_scheme_that_no_code_knows_works_from_its_document_while_everything_runs(traveller: Traveller) -> None:
    before = {name: one.restarts for name, one in traveller.system.components.items()}
    refused = await call(traveller, "editor", "officer", "/v1/policies", DOCUMENT.read_bytes())
    assert refused.status_code == 403
    published = await call(traveller, "editor", "policy-editor", "/v1/policies", DOCUMENT.read_bytes())
    assert published.status_code in (200, 201), published.text
    await offered(traveller, SCHEME)

    nanshan = in_district("nanshan")
    lacking = asked_for(traveller, nanshan, request_of(100_000), headcount=20)
    answer = await traveller.post("/v1/applications", bodies.application(lacking, submit=True))
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/request/details/data_set")
    unproven = asked_for(traveller, nanshan, request_of(100_000, data_set="街景图像"), headcount=20)
    answer = await traveller.post("/v1/applications", bodies.application(unproven, submit=True))
    assert (answer.status_code, answer.json()["code"]) == (422, "evidence_missing")
    agreement = {"documents": [await traveller.upload(b"%PDF-1.7 agreement", "data-agreement")]}
    elsewhere = asked_for(traveller, in_district("futian"), request_of(100_000, data_set="街景图像"))
    answer = await traveller.post("/v1/applications", bodies.application(elsewhere, submit=True))
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_district")

    small = asked_for(traveller, nanshan, request_of(100_000, data_set="街景图像"), headcount=20)
    large = asked_for(traveller, in_district("longgang"), request_of(100_000, data_set="语音转写"), headcount=500)
    applied = [await traveller.apply(one, **agreement) for one in (small, large)]
    states = [await traveller.until_status(state, "awarded") for state in applied]
    assert [state["award"]["awarded"]["amount"] for state in states] == [40_000 * YUAN, 25_000 * YUAN]
    assert [state["number"][:3] for state in states] == ["DA-", "DA-"]

    month: dict[str, Any] = {"starts_on": str(traveller.today), "ends_on": str(traveller.today), "statement": None}
    bill = {
        "number": f"DA-{uuid4().hex[:12]}",
        "seller": large.company.uscc,
        "issued_on": str(traveller.today),
        "money": bodies.money(10_600 * YUAN),
        "tax": bodies.money(600 * YUAN),
    }
    path = f"/v1/awards/{states[0]['award']['award_id']}/claims"
    assert (await traveller.post(path, claim_of(invoices=[bill]))).json()["code"] == "usage_missing"
    assert (await traveller.post(path, claim_of(invoices=[bill], usage=month))).json()["code"] == "statement_missing"
    month["statement"] = await traveller.upload("日期,用量\n1,2\n".encode(), "usage")
    assert (await traveller.post(path, claim_of(invoices=[bill], usage=month))).status_code == 201
    state = await traveller.until_claims_end(states[0])
    assert state["claims"][0]["payable"]["amount"] == 4_000 * YUAN
    assert {name: one.restarts for name, one in traveller.system.components.items()} == before


async def task_of(traveller: Traveller, state: State, kind: str) -> str:
    """Wait for the open task of an application."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        tasks = (await call(traveller, "anna", "auditor", "/v1/tasks?status=open&limit=500")).json()["items"]
        for task in tasks:
            if (task["application_id"], task["kind"]) == (state["application_id"], kind):
                return str(task["task_id"])
        await asyncio.sleep(0.1)
    raise AssertionError(f"no task of kind {kind} was opened")


async def decide(traveller: Traveller, who: str, task_id: str, outcome: str = "approve", **more: Any) -> httpx.Response:
    claimed = await call(traveller, who, "officer", f"/v1/tasks/{task_id}/claim", {})
    if claimed.is_error:
        return claimed
    decision = {"outcome": outcome, "reasons": REASONS} | more
    return await call(traveller, who, "officer", f"/v1/tasks/{task_id}/decision", decision)


async def test_two_persons_stand_behind_a_large_grant_and_a_milestone_is_paid_when_it_is_accepted(
    traveller: Traveller,
) -> None:
    stones = [{"id": f"m{place}", "title": "节点", "money": bodies.money(4_000_000 * YUAN)} for place in (1, 2)]
    wish = request_of(8_000_000, topic="data-set", milestones=stones)
    state = await traveller.apply(asked_for(traveller, 40, wish, "humanoid-robotics"))
    task_id = await task_of(traveller, state, "review")
    shown = await traveller.until_status(state, "in_review")
    assert shown["waiting_for"]["who"] == "officer"
    assert (await decide(traveller, "anna", task_id)).json()["needed"] == 2
    assert (await decide(traveller, "anna", task_id)).json()["code"] == "voted_before"
    await call(traveller, "anna", "officer", f"/v1/tasks/{task_id}/release", {})
    assert (await decide(traveller, "bo", task_id)).is_success
    state = await traveller.until_status(state, "awarded")
    assert state["award"]["awarded"]["amount"] == 8_000_000 * YUAN

    path = f"/v1/awards/{state['award']['award_id']}/claims"
    assert (await traveller.post(path, claim_of(milestone="m9"))).json()["code"] == "unknown_milestone"
    assert (await traveller.post(path, claim_of(milestone="m1"))).status_code == 201
    accepted = await decide(traveller, "cleo", await task_of(traveller, state, "acceptance"))
    assert accepted.is_success, accepted.text
    state = await traveller.until(state, lambda seen: seen["claims"][0]["status"] in ("payable", "paid"))
    assert state["claims"][0]["payable"]["amount"] == 4_000_000 * YUAN


async def test_a_rejection_by_persons_is_asked_about_appealed_against_upheld_by_others_and_then_corrected(
    traveller: Traveller,
) -> None:
    stones = [{"id": "m1", "title": "节点", "money": bodies.money(2_000_000 * YUAN)}]
    wish = request_of(2_000_000, topic="data-set", milestones=stones)
    state = await traveller.apply(asked_for(traveller, 44, wish, "humanoid-robotics"))
    path = f"/v1/applications/{state['application_id']}"
    first = await task_of(traveller, state, "review")
    await call(traveller, "anna", "officer", f"/v1/tasks/{first}/claim", {})
    question = {"question": {"zh-CN": "数据来源？", "en": "Where do the data come from?"}}
    assert (await call(traveller, "anna", "officer", f"/v1/tasks/{first}/question", question)).is_success
    asked = await traveller.until_status(state, "clarifying")
    assert asked["waiting_for"]["what"]["en"] == "Where do the data come from?"
    assert (await traveller.post(f"{path}/clarification", {"answer": "自有设备采集"})).status_code == 200

    second = await task_of(traveller, state, "review")
    assert second != first
    rejected = await decide(traveller, "anna", second, "reject")
    assert rejected.is_success, rejected.text
    await traveller.until_status(state, "rejected")
    assert (await traveller.post(f"{path}/appeal", {"grounds": "来源已说明"})).status_code == 200
    appeal = await task_of(traveller, state, "appeal")
    assert (await decide(traveller, "anna", appeal)).json()["code"] == "decided_before"
    await call(traveller, "anna", "officer", f"/v1/tasks/{appeal}/release", {})
    assert (await decide(traveller, "bo", appeal)).is_success
    state = await traveller.until_status(state, "awarded")
    assert (state["appeal"]["upheld"], state["award"]["awarded"]["amount"]) == (True, 2_000_000 * YUAN)

    again = f"/v1/assessments/{state['application_id']}/reassessment"
    assert (await call(traveller, "cleo", "officer", again, {"reasons": REASONS})).is_success
    task_id = await task_of(traveller, state, "review")
    assert (await decide(traveller, "cleo", task_id, amount=1_500_000 * YUAN)).is_success
    state = await traveller.until(state, lambda seen: seen["award"]["rest"]["amount"] == 1_500_000 * YUAN)
    assert (state["status"], state["award"]["released"]["amount"]) == ("awarded", 500_000 * YUAN)
    lived = (await traveller.get("intake", f"{path}/timeline"))["items"]
    assert [line["type"] for line in lived if "deadline" not in line["type"]] == [
        "application.submitted",
        "review.opened",
        "clarification.requested",
        "clarification.answered",
        "review.opened",
        "application.rejected",
        "appeal.lodged",
        "appeal.decided",
        "application.approved",
        "award.issued",
        "review.opened",
        "application.reassessed",
        "award.changed",
    ]
    shown = (await call(traveller, "anna", "auditor", f"/v1/assessments/{state['application_id']}")).json()
    assert [one["because"] for one in shown["earlier"]] == ["appeal", "reassessment"]
    assert all(one["replay"]["identical"] for one in (shown, *shown["earlier"]))
