"""Rejections of a whole message or pool, and reports on an attempt that is no longer the one under way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.database import Database
from tests.disbursement.bank import debit, notification, status_report
from tests.disbursement.finance import Finance, process, told
from tests.disbursement.payables import (
    DEBTORS,
    NOTHING,
    OTHER,
    again,
    details,
    instructed,
    make,
    obligated,
    statuses,
    take,
    two_pools,
)
from tests.disbursement.scenes import YUAN, returned, settled


@pytest.fixture
async def finance(emptied: Database, tmp_path: Path) -> AsyncIterator[Finance]:
    await two_pools(emptied, tmp_path)
    async with process(emptied, DEBTORS) as finance:
        yield finance


# --- rejections of a whole --------------------------------------------------------------------------------------------


async def test_a_rejected_message_returns_all_payments_that_were_in_it(finance: Finance, database: Database) -> None:
    inside = await instructed(database, 1_000, 2_000)
    made = await make(finance)
    [outside] = await instructed(database, 3_000, applicant="91440300MA5FYYYY0T")

    done = await take(finance, status_report("S1", made["message_id"], rejected=True))

    assert done["effects"] == NOTHING | {"moved": 2}
    assert await statuses(finance) == {
        **{payment.end_to_end_id: "returned" for payment in inside},
        outside.end_to_end_id: "instructed",
    }
    assert {each["reason_code"] for each in (await finance.get("/v1/payments?status=returned"))["items"]} == {"AM10"}


async def test_a_rejected_pool_returns_the_payments_of_that_pool(finance: Finance, database: Database) -> None:
    [stays] = await instructed(database, 1_000)
    [back] = await instructed(database, 2_000, scheme=OTHER, pool="other-pool")
    made = await make(finance)

    done = await take(finance, status_report("S1", made["message_id"], rejected_pools=["other-pool"]))

    assert done["effects"] == NOTHING | {"moved": 1}
    assert await statuses(finance) == {stays.end_to_end_id: "instructed", back.end_to_end_id: "returned"}


async def test_a_rejected_message_that_lists_its_payments_returns_each_once(
    finance: Finance, database: Database
) -> None:
    listed, unlisted = await instructed(database, 1_000, 2_000)
    made = await make(finance)
    report = status_report("S1", made["message_id"], [(listed, "RJCT")], rejected=True, rejected_pools=["test-pool"])

    done = await take(finance, report)

    assert done["effects"] == NOTHING | {"moved": 2}
    reasons = {each["end_to_end_id"]: each["reason_code"] for each in (await finance.get("/v1/payments"))["items"]}
    assert reasons == {listed.end_to_end_id: "AC04", unlisted.end_to_end_id: "AM10"}


async def test_a_rejection_contradicts_what_was_paid_and_a_person_has_to_look(
    finance: Finance, database: Database
) -> None:
    paid, back = await instructed(database, 1_000, 2_000)
    made = await make(finance)
    await told(database, settled(paid))

    done = await take(finance, status_report("S1", made["message_id"], rejected=True))

    assert done["effects"] == NOTHING | {"moved": 1, "discrepancy": 1}
    assert await statuses(finance) == {paid.end_to_end_id: "settled", back.end_to_end_id: "returned"}


@pytest.mark.parametrize("pools", [[], ["no-pool"]])
async def test_a_rejection_of_what_was_never_sent_is_a_discrepancy(finance: Finance, pools: list[str]) -> None:
    done = await take(finance, status_report("S1", "DF404", rejected=not pools, rejected_pools=pools))

    assert done["effects"] == NOTHING | {"discrepancy": 1}
    assert "rejects DF404" in (await details(finance))[0]


async def test_a_file_that_rejects_more_blocks_than_were_ever_sent_is_refused(finance: Finance) -> None:
    content = status_report("S1", "DF404", rejected_pools=["no-pool"] * 1_001)

    refused = await finance.send(content)

    assert (refused.status_code, refused.json()["reason"]) == (422, "too_many")
    assert refused.json()["line"] == content[: content.rindex("<OrgnlPmtInfAndSts>")].count("\n") + 1


# --- attempts -------------------------------------------------------------------------------------------------------


async def test_a_rejected_payment_is_in_the_next_file_and_that_files_report_settles_it(
    finance: Finance, database: Database
) -> None:
    [payment] = await instructed(database, 1_000)
    first = await make(finance)
    await take(finance, status_report("S1", first["message_id"], rejected=True))
    await again(finance, payment)
    second = await make(finance)

    done = await take(finance, status_report("S2", second["message_id"], [(payment, "ACSC")]))

    assert second["message_id"] != first["message_id"]
    assert (done["effects"], await obligated(finance)) == (NOTHING | {"moved": 1}, 0)


@pytest.mark.parametrize("status", ["ACSC", "RJCT"])
async def test_a_late_report_on_the_first_file_does_not_touch_the_second_attempt(
    finance: Finance, database: Database, status: str
) -> None:
    [payment] = await instructed(database, 1_000)
    first = await make(finance)
    await told(database, returned(payment))
    await again(finance, payment)
    await make(finance)

    done = await take(finance, status_report("S1", first["message_id"], [(payment, status)]))

    assert done["effects"] == NOTHING | {"discrepancy": 1}
    assert "speaks of attempt 1, under way is 2" in (await details(finance))[0]
    assert await statuses(finance) == {payment.end_to_end_id: "instructed"}


async def test_a_late_rejection_of_the_first_file_does_not_touch_the_second_attempt(
    finance: Finance, database: Database
) -> None:
    [payment] = await instructed(database, 1_000)
    first = await make(finance)
    await told(database, returned(payment))
    await again(finance, payment)
    await make(finance)

    await take(finance, status_report("S1", first["message_id"], rejected=True))

    assert await statuses(finance) == {payment.end_to_end_id: "instructed"}


@pytest.mark.parametrize(("attempt", "effect"), [(1, "discrepancy"), (2, "moved")])
async def test_a_notification_that_hands_the_instruction_back_speaks_of_that_attempt(
    finance: Finance, database: Database, attempt: int, effect: str
) -> None:
    [payment] = await instructed(database, 1_000)
    await make(finance)
    await told(database, returned(payment))
    await again(finance, payment)
    await make(finance)
    told_of = f"{payment.payment_id.hex}-{attempt}"

    entry = debit(payment.end_to_end_id, payment.money.amount, instruction=told_of, reference="B9")
    done = await take(finance, notification("N1", entry))

    assert done["effects"] == NOTHING | {effect: 1}


async def test_a_report_on_a_file_that_does_not_hold_the_payment_moves_nothing(
    finance: Finance, database: Database
) -> None:
    await instructed(database, 1_000)
    made = await make(finance)
    [outside] = await instructed(database, 2_000, applicant="91440300MA5FYYYY0T")

    done = await take(finance, status_report("S1", made["message_id"], [(outside, "ACSC")]))

    assert done["effects"] == NOTHING | {"discrepancy": 1}
    assert "does not hold this payment" in (await details(finance))[0]
    assert await obligated(finance) == 600 * YUAN + outside.money.amount
