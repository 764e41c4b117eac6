"""What finance orders and reports over HTTP: with a token of scope finance, idempotent, refused with the cure."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.events import AwardIssued, PaymentInstructed
from contracts.policy import PaymentRules
from kit.database import Database
from tests.disbursement.finance import Finance, process, told
from tests.disbursement.scenes import YUAN, Scene, approved, only, policy, publish, returned, verified

POOL_ORDER = {"kind": "appropriation.set", "pool": "test-pool", "reason": "a supplement"}
MORE = {"amount": 200_000_000, "currency": "CNY"}


@pytest.fixture
async def finance(opened: Path, database: Database) -> AsyncIterator[Finance]:
    async with process(database) as finance:
        yield finance


@pytest.fixture
async def payment(finance: Finance, database: Database) -> PaymentInstructed:
    async with database.transaction() as connection:
        await publish(Scene(connection), policy(payments=PaymentRules()))
    award = only(await told(database, approved(60_000 * YUAN)), AwardIssued)
    return only(await told(database, verified(award, 1_000 * YUAN)), PaymentInstructed)


async def test_two_persons_raise_a_pool(finance: Finance) -> None:
    proposed = await finance.post("/v1/orders", POOL_ORDER | {"money": MORE})
    assert proposed.status_code == 201, proposed.text
    path = f"/v1/orders/{proposed.json()['order_id']}/approval"
    refused = await finance.post(path, None)
    assert (refused.status_code, refused.json()["code"]) == (409, "second_person_needed")

    approved_ = await finance.post(path, None, by="bo", key=None)

    assert approved_.json() | {"status": "executed", "proposed_by": "anna", "decided_by": "bo"} == approved_.json()
    [pool] = (await finance.get("/v1/pools"))["items"]
    assert pool["appropriated"] == MORE
    [order] = (await finance.get("/v1/orders?status=executed"))["items"]
    assert (order["kind"], order["subject"]) == ("appropriation.set", {"pool": "test-pool", "money": MORE})


async def test_an_order_sent_twice_is_one_order(finance: Finance) -> None:
    first = await finance.post("/v1/orders", POOL_ORDER | {"money": MORE}, key="k")
    again = await finance.post("/v1/orders", POOL_ORDER | {"money": MORE}, key="k")
    other = await finance.post("/v1/orders", POOL_ORDER | {"money": MORE, "reason": "another"}, key="k")

    assert (again.status_code, again.content) == (201, first.content)
    assert other.json()["code"] == "idempotency_key_reused"
    assert len((await finance.get("/v1/orders"))["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"money": {"amount": 0, "currency": "CNY"}}, "/appropriation.set/money/amount"),
        ({"money": {"amount": 1.5, "currency": "CNY"}}, "/appropriation.set/money/amount"),
        ({"money": MORE, "reason": ""}, "/appropriation.set/reason"),
        ({"money": MORE, "colour": "red"}, "/appropriation.set/colour"),
        ({"money": MORE, "kind": "pool.burn"}, ""),
    ],
)
async def test_a_wrong_body_is_told_which_field(finance: Finance, changes: Any, pointer: str) -> None:
    refused = await finance.post("/v1/orders", POOL_ORDER | changes)

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["pointer"] == pointer


@pytest.mark.parametrize(
    ("scope", "key", "code"), [("portal", "", "scope_missing"), ("finance", None, "idempotency_key_missing")]
)
async def test_without_the_scope_or_a_key_nothing_is_ordered(
    finance: Finance, scope: str, key: str | None, code: str
) -> None:
    refused = await finance.post("/v1/orders", POOL_ORDER | {"money": MORE}, scope=scope, key=key)

    assert refused.json()["code"] == code
    assert (await finance.get("/v1/orders"))["items"] == []


async def test_a_finance_system_without_kafka_reports_over_http(finance: Finance, payment: PaymentInstructed) -> None:
    report = {
        "type": "settled",
        "end_to_end_id": payment.end_to_end_id,
        "money": {"amount": payment.money.amount, "currency": "CNY"},
        "bank_reference": "B1",
        "at": "2026-06-01T04:00:00Z",
    }
    path = f"/v1/payments/{payment.payment_id}/status"

    moved = await finance.post(path, report)
    again = await finance.post(path, report)
    wrong = await finance.post(path, report | {"bank_reference": "B2", "money": {"amount": 1, "currency": "CNY"}})

    assert [each.json()["effect"] for each in (moved, again, wrong)] == ["moved", "duplicate", "discrepancy"]
    [found] = (await finance.get("/v1/payments"))["items"]
    assert found["status"] == "settled"


async def test_a_returned_payment_is_corrected_and_instructed_again(
    finance: Finance, payment: PaymentInstructed, database: Database
) -> None:
    path = f"/v1/payments/{payment.payment_id}/instruction"
    body = {"reason": "AC04", "creditor": {"name": "A", "account": "2", "bank_code": "B"}}
    early = await finance.post(path, body)
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    await told(database, returned(payment))

    done = await finance.post(path, body)

    assert (done.status_code, done.json()["status"], done.json()["proposed_by"]) == (201, "executed", "anna")
    [found] = (await finance.get("/v1/payments?status=instructed"))["items"]
    assert (found["attempt"], UUID(found["payment_id"])) == (2, payment.payment_id)


async def test_a_returned_payment_is_given_up(finance: Finance, payment: PaymentInstructed, database: Database) -> None:
    await told(database, returned(payment))

    done = await finance.post(f"/v1/payments/{payment.payment_id}/cancellation", {"reason": "the company is gone"})

    assert done.status_code == 201
    [pool] = (await finance.get("/v1/pools"))["items"]
    assert (pool["obligated"]["amount"], pool["committed"]["amount"]) == (0, 60_000 * YUAN)
