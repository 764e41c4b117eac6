"""What the bank sends back in files: each report goes the way of every report, a file counts whole and once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from disbursement import bank_files
from kit.database import Database
from tests.disbursement.bank import credit, debit, notification, status_report
from tests.disbursement.finance import Finance, process, told
from tests.disbursement.payables import (
    DEBTORS,
    NOTHING,
    details,
    instructed,
    make,
    obligated,
    statuses,
    take,
    two_pools,
)
from tests.disbursement.scenes import settled


@pytest.fixture
async def finance(emptied: Database, tmp_path: Path) -> AsyncIterator[Finance]:
    await two_pools(emptied, tmp_path)
    async with process(emptied, DEBTORS) as finance:
        yield finance


# --- what a file does -----------------------------------------------------------------------------------------------


async def test_a_status_report_settles_and_returns_and_counts_what_is_pending(
    finance: Finance, database: Database
) -> None:
    paid, back, waits = await instructed(database, 1_000, 2_000, 3_000)
    made = await make(finance)
    report = status_report("S1", made["message_id"], [(paid, "ACSC"), (back, "RJCT"), (waits, "ACSP")])

    done = await take(finance, report)

    assert (done["message_id"], done["kind"], done["reports"]) == ("S1", "pain.002", 3)
    assert done["effects"] == NOTHING | {"moved": 2, "pending": 1}
    assert await statuses(finance) == {
        paid.end_to_end_id: "settled",
        back.end_to_end_id: "returned",
        waits.end_to_end_id: "instructed",
    }
    assert await obligated(finance) == back.money.amount + waits.money.amount
    [pool] = [each for each in (await finance.get("/v1/pools"))["items"] if each["pool"] == "test-pool"]
    assert pool["disbursed"]["amount"] == paid.money.amount


async def test_a_notification_settles_returns_and_passes_over_what_is_not_ours(
    finance: Finance, database: Database
) -> None:
    paid, back = await instructed(database, 1_000, 2_000)
    await make(finance)
    content = notification(
        "N1",
        debit(paid.end_to_end_id, paid.money.amount),
        credit(back.end_to_end_id, back.money.amount),
        credit("TREASURY-77", 500, code="DMCT"),
    )

    done = await take(finance, content)

    assert (done["effects"], done["passed_over"]) == (NOTHING | {"moved": 2}, 1)
    assert await statuses(finance) == {paid.end_to_end_id: "settled", back.end_to_end_id: "returned"}


async def test_what_a_file_moves_is_told_as_if_an_event_had_moved_it(finance: Finance, database: Database) -> None:
    paid, back = await instructed(database, 1_000, 2_000)
    made = await make(finance)

    await take(finance, status_report("S1", made["message_id"], [(paid, "ACSC"), (back, "RJCT")]))

    async with database.reading() as connection:
        said = list((await connection.execute(text("SELECT type FROM outbox ORDER BY id DESC LIMIT 3"))).scalars())
    assert [each.split("drawdown.")[1] for each in reversed(said)] == [
        "transfer.posted.v1",
        "claim.paid.v1",
        "claim.unpaid.v1",
    ]


async def test_what_was_reported_by_an_event_before_is_a_duplicate(finance: Finance, database: Database) -> None:
    [payment] = await instructed(database, 1_000)
    made = await make(finance)
    await told(database, settled(payment))

    done = await take(finance, status_report("S1", made["message_id"], [(payment, "ACSC")]))

    assert done["effects"] == NOTHING | {"duplicate": 1}


async def test_an_amount_that_differs_by_a_fen_moves_nothing(finance: Finance, database: Database) -> None:
    [payment] = await instructed(database, 1_000)
    await make(finance)

    done = await take(finance, notification("N1", debit(payment.end_to_end_id, payment.money.amount + 1)))

    assert done["effects"] == NOTHING | {"discrepancy": 1}
    assert await statuses(finance) == {payment.end_to_end_id: "instructed"}


async def test_a_payment_that_nobody_knows_is_kept_as_a_discrepancy_with_its_line(
    finance: Finance, database: Database
) -> None:
    content = notification("N1", debit("DD404", 5))

    done = await take(finance, content)

    line = content[: content.index("<TxDtls>")].count("\n") + 1
    assert done["discrepancies"] == [
        {"line": line, "end_to_end_id": "DD404", "detail": "no such payment was instructed"}
    ]
    [kept] = (await finance.get("/v1/discrepancies"))["items"]
    assert (kept["end_to_end_id"], kept["amount"], kept["payment_id"]) == ("DD404", 5, None)


# --- whole and once -------------------------------------------------------------------------------------------------


async def test_a_file_that_is_sent_twice_counts_once_and_gets_the_same_answer(
    finance: Finance, database: Database
) -> None:
    [payment] = await instructed(database, 1_000)
    made = await make(finance)
    report = status_report("S1", made["message_id"], [(payment, "ACSC")])

    first, second = await finance.send(report), await finance.send(report, by="bo")

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    [listed] = (await finance.get("/v1/bank-files"))["items"]
    assert (listed["message_id"], listed["received_by"], listed["answer"]) == ("S1", "anna", first.json())
    assert await obligated(finance) == 0


async def test_two_processes_that_get_one_file_at_once_apply_it_once(finance: Finance, database: Database) -> None:
    payments = await instructed(database, *range(1, 11))
    made = await make(finance)
    report = status_report("S1", made["message_id"], [(payment, "ACSC") for payment in payments])

    async with process(database, DEBTORS) as other:
        answers = await asyncio.gather(*[one.send(report) for one in (finance, other, finance, other)])

    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.json()["effects"]["moved"] for answer in answers} == {10}
    assert (await obligated(finance), await details(finance)) == (0, [])


async def test_another_content_under_a_known_message_id_is_refused(finance: Finance, database: Database) -> None:
    paid, other = await instructed(database, 1_000, 2_000)
    made = await make(finance)
    await take(finance, status_report("S1", made["message_id"], [(paid, "ACSC")]))

    refused = await finance.send(status_report("S1", made["message_id"], [(other, "ACSC")]))

    assert (refused.status_code, refused.json()["code"]) == (409, "message_id_reused")
    assert (await statuses(finance))[other.end_to_end_id] == "instructed"


async def test_half_a_file_changes_nothing_and_the_whole_one_is_taken_afterwards(
    finance: Finance, database: Database
) -> None:
    payments = await instructed(database, 1_000, 2_000, 3_000)
    made = await make(finance)
    report = status_report("S1", made["message_id"], [(payment, "ACSC") for payment in payments])

    for half in (report[: len(report) // 2], report[: report.rindex("</Document>")], ""):
        refused = await finance.send(half)
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["reason"]) == (422, "bank_file_refused", "malformed")
        assert problem["line"] == half.count("\n") + 1
        assert problem["detail"].startswith(f"Line {problem['line']}: ")
    assert set((await statuses(finance)).values()) == {"instructed"}
    assert (await finance.get("/v1/bank-files"))["items"] == []

    assert (await take(finance, report))["effects"]["moved"] == 3


async def test_a_file_that_does_not_add_up_changes_nothing(finance: Finance, database: Database) -> None:
    [payment] = await instructed(database, 1_000)
    await make(finance)
    content = notification("N1", debit(payment.end_to_end_id, payment.money.amount))

    refused = await finance.send(content.replace("<NbOfNtries>1<", "<NbOfNtries>2<"))

    assert (refused.status_code, refused.json()["code"], refused.json()["reason"]) == (
        422,
        "bank_file_refused",
        "count",
    )
    assert await statuses(finance) == {payment.end_to_end_id: "instructed"}


async def test_a_file_of_more_than_one_transaction_takes_is_refused_at_the_first_beyond(
    finance: Finance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_files, "MOST_REPORTS", 1)
    content = notification("N1", debit("DD1", 5), debit("DD2", 6))

    refused = await finance.send(content)

    assert (refused.status_code, refused.json()["reason"]) == (422, "too_many")
    assert refused.json()["line"] == content[: content.rindex("<TxDtls>")].count("\n") + 1


async def test_a_bank_file_may_be_larger_than_other_bodies_but_not_without_end(finance: Finance) -> None:
    large = notification("N1", debit("DD1", 5)) + " " * (2 * 1024 * 1024)

    assert (await finance.send(large)).status_code == 200
    refused = await finance.send(large + " " * (16 * 1024 * 1024))
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


async def test_only_finance_hands_files_over(finance: Finance) -> None:
    refused = await finance.send(notification("N1", debit("DD1", 5)), scope="portal")

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert (await finance.get("/v1/bank-files"))["items"] == []


async def test_a_file_is_taken_also_where_payments_are_not_made_by_files(finance: Finance, database: Database) -> None:
    [payment] = await instructed(database, 1_000)

    async with process(database) as other:
        done = await take(other, notification("N1", debit(payment.end_to_end_id, payment.money.amount)))

    assert done["effects"] == NOTHING | {"moved": 1}
