"""What a scheme asks for is what its policy document says: contract, money, form, what a claim counts."""

from typing import Any

import pytest

from contracts.common import Text
from contracts.events import ApplicationSubmitted, ClaimSubmitted
from contracts.money import Money
from contracts.policy import ClaimRules, Part
from tests.intake.scenes import Portal, publish_policy

TEXT = Text("测试", "Test")
FORM = {
    "type": "object",
    "required": ["area_m2"],
    "properties": {
        "area_m2": {"type": "integer", "minimum": 10_000},
        "milestones": {"type": "array", "items": {"type": "object", "required": ["id", "money"]}},
    },
}
MILESTONES = [{"id": "m1", "money": {"amount": 500, "currency": "CNY"}}]
DETAILS = {"area_m2": 12_000, "milestones": MILESTONES}
RENT = Part(id="rent", money=Money(300_000), monthly=True, times=12, text=TEXT)
START = Part(id="start", money=Money(5_000_000), text=TEXT)


async def publish(portal: Portal, **changes: Any) -> None:
    plain = {"scheme": "test-grant", "number_prefix": "TG", "contract": "none", "form": FORM}
    async with portal.database.transaction() as connection:
        await publish_policy(connection, **plain | changes)


def asked(**changes: Any) -> dict[str, Any]:
    return {"scheme": "test-grant", "request.contract": None, "request.details": DETAILS} | changes


@pytest.mark.parametrize(
    ("details", "pointer", "words"),
    [
        ({}, "/request/details/area_m2", "'area_m2' is a required property"),
        ({"area_m2": 9_999}, "/request/details/area_m2", "9999 is less than the minimum of 10000"),
        ({"area_m2": "large"}, "/request/details/area_m2", "'large' is not of type 'integer'"),
        (DETAILS | {"milestones": [{"id": "m1"}]}, "/request/details/milestones/0/money", "'money' is a required"),
    ],
)
async def test_the_form_is_checked_at_submission(
    portal: Portal, details: dict[str, Any], pointer: str, words: str
) -> None:
    await publish(portal)
    refused = await portal.apply(**asked(**{"request.details": details}))
    assert (refused.status_code, refused.json()["code"]) == (422, "form_invalid")
    assert refused.json()["pointer"] == pointer
    assert words in refused.json()["detail"]
    assert await portal.told() == []


async def test_a_draft_may_be_incomplete_and_is_checked_when_it_is_submitted(portal: Portal) -> None:
    await publish(portal)
    draft = await portal.apply(**asked(**{"request.details": {}, "submit": False}))
    assert draft.status_code == 201
    refused = await portal.client.post(f"/v1/applications/{draft.json()['application_id']}/submission")
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/request/details/area_m2")


async def test_no_contract_is_asked_for_where_the_policy_wants_none(portal: Portal) -> None:
    await publish(portal)
    assert (await portal.apply(**asked())).status_code == 201
    await publish(portal, scheme="with-contract", contract="required")
    refused = await portal.apply(**asked(scheme="with-contract"))
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/request/contract")


async def test_money_is_asked_for_where_there_is_a_pool(portal: Portal) -> None:
    await publish(portal)
    refused = await portal.apply(**asked(**{"request.money": None}))
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/request/money")
    await publish(portal, scheme="test-community", pool=None, kind="accreditation")
    accepted = await portal.apply(**asked(**{"scheme": "test-community", "request.money": None}))
    assert accepted.status_code == 201
    [event] = await portal.told()
    assert isinstance(event, ApplicationSubmitted)
    assert event.request.money == Money(0)


async def test_a_draft_without_money_is_changed_and_submitted(portal: Portal) -> None:
    await publish(portal, scheme="test-community", pool=None, kind="accreditation")
    body = asked(**{"scheme": "test-community", "request.money": None, "submit": False})
    path = f"/v1/applications/{(await portal.apply(**body)).json()['application_id']}"
    request = {"money": None, "contract": None, "details": DETAILS | {"area_m2": 20_000}}
    changed = await portal.client.patch(path, json={"request": request})
    assert changed.status_code == 200, changed.text
    assert (await portal.client.post(f"{path}/submission")).status_code == 200
    [event] = await portal.told()
    assert isinstance(event, ApplicationSubmitted)
    assert (event.request.money, event.request.details["area_m2"]) == (Money(0), 20_000)


async def test_a_scheme_shows_what_it_asks_for(portal: Portal) -> None:
    await publish(portal, claims=ClaimRules(basis="parts", parts=(START, RENT), seller_is_provider=False))
    shown = (await portal.client.get("/v1/schemes/test-grant")).json()
    assert (shown["contract"], shown["form"]) == ("none", FORM)
    assert [part["id"] for part in shown["claims"]["parts"]] == ["start", "rent"]
    assert shown["review"]["route"] == "automatic"


async def test_milestones_that_are_no_list_name_none(portal: Portal) -> None:
    await publish(portal, form={}, claims=ClaimRules(seller_is_provider=False, basis="milestones"))
    _, award = await portal.awarded(**asked(**{"request.details": {"milestones": 5}}))
    refused = await portal.claim(award.award_id, invoices=[], milestone="m1")
    assert (refused.status_code, refused.json()["pointer"]) == (422, "/milestone")


BASES: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({"basis": "milestones"}, {"milestone": "m1"}, None),
    ({"basis": "milestones"}, {"milestone": "m9"}, "/milestone"),
    ({"basis": "milestones"}, {}, "/milestone"),
    ({"basis": "parts", "parts": (START, RENT)}, {"milestone": "start"}, None),
    ({"basis": "parts", "parts": (START, RENT)}, {"milestone": "rent", "usage": None}, "/usage"),
    ({"basis": "parts", "parts": (START, RENT)}, {"milestone": "m1"}, "/milestone"),
    ({"basis": "calls"}, {"details": {"money": {"amount": 500, "currency": "CNY"}}}, None),
    ({"basis": "calls"}, {"details": {"money": {"amount": 0, "currency": "CNY"}}}, "/details/money"),
    ({"basis": "calls"}, {}, "/details/money"),
    ({"basis": "invoices"}, {}, "/invoices"),
]


@pytest.mark.parametrize(("rules", "claim", "pointer"), BASES)
async def test_a_claim_names_what_the_policy_counts(
    portal: Portal, rules: dict[str, Any], claim: dict[str, Any], pointer: str | None
) -> None:
    await publish(portal, claims=ClaimRules(seller_is_provider=False, **rules))
    _, award = await portal.awarded(**asked())
    answer = await portal.claim(award.award_id, **{"invoices": []} | claim)
    if pointer is None:
        assert answer.status_code == 201, answer.text
        assert isinstance((await portal.told())[-1], ClaimSubmitted)
    else:
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)
