"""Payments to the bank in files: each instruction in exactly one, valid, exact to the fen, the same bytes for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from contracts.common import Account
from disbursement import payment_files, programme, tables
from disbursement.iso20022.pain001 import NAMESPACE
from disbursement.iso20022.schemas import first_error
from kit.database import Database
from kit.errors import SetupError
from tests.disbursement.finance import Finance, process, told
from tests.disbursement.payables import DEBTORS, OTHER, instructed, make, obligated, two_pools
from tests.disbursement.scenes import PROGRAMME, returned, settled


@pytest.fixture
async def finance(emptied: Database, tmp_path: Path) -> AsyncIterator[Finance]:
    await two_pools(emptied, tmp_path)
    async with process(emptied, DEBTORS) as finance:
        yield finance


async def orders_in(finance: Finance, message_id: str) -> dict[str, tuple[str, str]]:
    """Return instruction id and amount by end_to_end_id, as they stand in a file."""
    content = (await finance.fetch(f"/v1/payment-files/{message_id}")).content
    names = {"p": NAMESPACE}
    return {
        order.findtext("p:PmtId/p:EndToEndId", "", names): (
            order.findtext("p:PmtId/p:InstrId", "", names),
            order.findtext("p:Amt/p:InstdAmt", "", names),
        )
        for order in etree.fromstring(content).iter(f"{{{NAMESPACE}}}CdtTrfTxInf")
    }


async def test_the_pain_001_validates_against_the_official_schema_and_its_control_sum_equals_the_ledgers_obligated(
    finance: Finance, database: Database
) -> None:
    await instructed(database, 1_000, 2_000)
    await instructed(database, 333, scheme=OTHER, pool="other-pool")

    made = await make(finance)

    message_id, total = made["message_id"], made["control_sum"]["amount"]
    content = (await finance.fetch(f"/v1/payment-files/{message_id}")).content
    file = etree.fromstring(content)
    assert first_error(file.getroottree(), "pain.001.001.09") is None
    header = file.find("p:CstmrCdtTrfInitn/p:GrpHdr", {"p": NAMESPACE})
    assert header is not None
    assert header.findtext("p:CtrlSum", "", {"p": NAMESPACE}) == f"{total // 100}.{total % 100:02d}" == "1999.80"
    assert total == await obligated(finance)
    assert (made["payments"], made["pools"]) == (3, ["other-pool", "test-pool"])
    assert (made["left_out"], made["more"], made["created_by"]) == ([], False, "anna")


async def test_a_file_is_the_same_to_the_byte_for_finance_alone(finance: Finance, database: Database) -> None:
    await instructed(database, 1_000)
    made = await make(finance)
    path = f"/v1/payment-files/{made['message_id']}"

    first, again = await finance.fetch(path), await finance.fetch(path)
    refused, unknown = await finance.fetch(path, scope="portal"), await finance.fetch("/v1/payment-files/DF0")

    assert first.content == again.content
    assert first.headers["content-type"] == "application/xml"
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "payment_file_not_found")
    [listed] = (await finance.get("/v1/payment-files"))["items"]
    assert listed == {name: made[name] for name in listed}
    assert len(listed["sha256"]) == 64


async def test_no_instruction_is_in_two_files(finance: Finance, database: Database) -> None:
    [first] = await instructed(database, 1_000)
    one = await make(finance)
    nothing = await finance.post("/v1/payment-files", None)
    [second] = await instructed(database, 2_000, applicant="91440300MA5FYYYY0T")
    two = await make(finance)

    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_pay")
    assert list(await orders_in(finance, one["message_id"])) == [first.end_to_end_id]
    assert list(await orders_in(finance, two["message_id"])) == [second.end_to_end_id]


async def test_what_is_not_instructed_is_in_no_file(finance: Finance, database: Database) -> None:
    done, back, due = await instructed(database, 1_000, 2_000, 3_000)
    await told(database, settled(done), returned(back))

    made = await make(finance)

    assert list(await orders_in(finance, made["message_id"])) == [due.end_to_end_id]


async def test_a_second_attempt_after_a_return_is_in_the_next_file(finance: Finance, database: Database) -> None:
    [payment] = await instructed(database, 1_000)
    first = await make(finance)
    await told(database, returned(payment))
    done = await finance.post(f"/v1/payments/{payment.payment_id}/instruction", {"reason": "the bank was closed"})
    assert done.status_code == 201

    second = await make(finance)

    own = payment.payment_id.hex
    assert await orders_in(finance, first["message_id"]) == {payment.end_to_end_id: (f"{own}-1", "600.00")}
    assert await orders_in(finance, second["message_id"]) == {payment.end_to_end_id: (f"{own}-2", "600.00")}
    [listed] = (await finance.get("/v1/payments"))["items"]
    assert listed["file_message_id"] == second["message_id"]


async def test_two_processes_asked_at_once_write_each_payment_once(finance: Finance, database: Database) -> None:
    payments = await instructed(database, *range(1, 21))

    async with process(database, DEBTORS) as other:
        answers = await asyncio.gather(*[one.post("/v1/payment-files", None) for one in (finance, other)])

    made = [answer.json() for answer in answers if answer.status_code == 201]
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert (len(made), refused) == (1, ["nothing_to_pay"])
    assert set(await orders_in(finance, made[0]["message_id"])) == {payment.end_to_end_id for payment in payments}


async def test_the_same_key_gives_the_same_file_also_from_another_process(finance: Finance, database: Database) -> None:
    await instructed(database, 1_000)

    async with process(database, DEBTORS) as other:
        answers = await asyncio.gather(
            *[one.post("/v1/payment-files", None, key="k") for one in (finance, other, finance)]
        )

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.content for answer in answers}) == 1
    assert len((await finance.get("/v1/payment-files"))["items"]) == 1


async def test_a_pool_can_be_paid_alone(finance: Finance, database: Database) -> None:
    await instructed(database, 1_000)
    [other] = await instructed(database, 2_000, scheme=OTHER, pool="other-pool")

    made = await make(finance, pools=["other-pool"])
    unknown = await finance.post("/v1/payment-files", {"pools": ["no-pool"]})

    assert (made["pools"], made["control_sum"]["amount"]) == (["other-pool"], other.money.amount)
    assert (unknown.status_code, unknown.json()["code"], unknown.json()["pointer"]) == (404, "pool_not_found", "/pools")


async def test_what_the_format_cannot_say_is_left_out_and_named(finance: Finance, database: Database) -> None:
    [wrong] = await instructed(database, 1_000, creditor=Account("A\nB", "1", "B"))
    alone = await finance.post("/v1/payment-files", None)
    [right] = await instructed(database, 2_000, applicant="91440300MA5FYYYY0T")

    made = await make(finance)

    assert (alone.status_code, alone.json()["code"]) == (409, "nothing_to_pay")
    assert str(wrong.payment_id) in alone.json()["detail"]
    [left_out] = made["left_out"]
    assert (left_out["payment_id"], left_out["pointer"]) == (str(wrong.payment_id), "/creditor/name")
    assert list(await orders_in(finance, made["message_id"])) == [right.end_to_end_id]


async def test_what_does_not_fit_into_a_file_is_told_and_comes_with_the_next(
    finance: Finance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = await instructed(database, 1, 2, 3)
    monkeypatch.setattr(payment_files, "MOST_PAYMENTS", 2)

    files = [await make(finance), await make(finance)]

    assert [(file["payments"], file["more"]) for file in files] == [(2, True), (1, False)]
    assert sum(file["control_sum"]["amount"] for file in files) == sum(payment.money.amount for payment in payments)


@pytest.mark.parametrize(
    ("debtors", "code", "cure"),
    [(None, "payment_files_off", "DISBURSEMENT_PAYMENT_FILES=true"), ({}, "debtor_missing", "debtor: {name, account")],
)
async def test_nothing_is_written_before_it_was_allowed_and_a_pool_has_an_account(
    finance: Finance, database: Database, debtors: dict[str, Account] | None, code: str, cure: str
) -> None:
    await instructed(database, 1_000)

    async with process(database, debtors) as other:
        refused = await other.post("/v1/payment-files", None)

    assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert cure in refused.json()["detail"]
    assert (await finance.get("/v1/payment-files"))["items"] == []


@pytest.mark.parametrize(
    ("body", "scope", "key", "code"),
    [
        (None, "portal", "", "scope_missing"),
        (None, "finance", None, "idempotency_key_missing"),
        ({"pools": []}, "finance", "", "validation_failed"),
        ({"pool": "test-pool"}, "finance", "", "validation_failed"),
    ],
)
async def test_a_wrong_call_writes_nothing(
    finance: Finance, database: Database, body: Any, scope: str, key: str | None, code: str
) -> None:
    await instructed(database, 1_000)

    refused = await finance.post("/v1/payment-files", body, scope=scope, key=key)

    assert refused.json()["code"] == code
    assert (await finance.get("/v1/payment-files"))["items"] == []


async def test_the_database_itself_refuses_an_attempt_in_a_second_file_and_a_changed_file(
    finance: Finance, database: Database
) -> None:
    await instructed(database, 1_000)
    await make(finance)
    files, entries = tables.payment_files, tables.payment_file_entries
    again = entries.insert().from_select(
        ["payment_id", "attempt", "message_id"], select(entries.c.payment_id, entries.c.attempt, text("'DF2'"))
    )

    for statement in (again, update(files).values(control_sum=1), delete(files), delete(entries)):
        with pytest.raises(DBAPIError, match=r"payment_file_entries|never changed"):
            async with database.transaction() as connection:
                await connection.execute(statement)


@pytest.mark.parametrize(
    ("debtor", "said"),
    [
        ("{name: A, account: 123, bank_code: '1'}", "Expected `str`, got `int`"),
        ("{name: A, bank_code: '1'}", "missing required field `account`"),
        ("{name: ' ', account: '123', bank_code: '1'}", "test-pool: debtor/name is empty"),
    ],
)
def test_a_wrong_account_of_a_pool_stops_the_start_and_names_the_field(tmp_path: Path, debtor: str, said: str) -> None:
    path = tmp_path / "programme.yaml"
    path.write_text(PROGRAMME.replace("currency: CNY}}", f"currency: CNY}}, debtor: {debtor}}}"), encoding="utf-8")

    with pytest.raises(SetupError, match=said):
        programme.read(path)
