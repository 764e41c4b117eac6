"""The reconciliation on a real database: each wrong figure is named by its check, its pool is held, payments go on."""

from uuid import UUID

import pytest

from contracts.events import ApplicationWaitlisted, AwardIssued, ClaimPaid, PaymentInstructed
from contracts.refusal import Refusal
from disbursement import tables
from disbursement.orders import ResumePool
from tests.disbursement.books import COMPANIES, Books
from tests.disbursement.scenes import POOL, YUAN, approved, only, settled, verified


async def test_right_books_have_no_difference_and_each_check_says_so(books: Books) -> None:
    assert await books.look() == set()

    kept = {(row.check_name, row.difference) for row in await books.rows(tables.reconciliations)}
    assert kept == {(check, 0) for check in ("entries", "identity", "chain", "awards", "payments", "outbox")}
    assert await books.on_hold() is None


# What is spoilt, how, the checks that find it, and words that one of them says.
SPOILS: dict[str, tuple[str, set[str], str]] = {
    "a balance": (
        "UPDATE pools SET available = available - 5, committed = committed + 5",
        {"entries"},
        "pool test-pool: committed is 60,000.05, its transfers make 60,000.00",
    ),
    "what a pool was given": (
        "UPDATE pools SET available = available + 5, appropriated = appropriated + 5",
        {"entries"},
        "appropriated is 1,000,000.05, its transfers make 1,000,000.00",
    ),
    "an award": (
        "UPDATE awards SET committed = committed - 5, obligated = obligated + 5 WHERE award_id = '{award}'",
        {"awards"},
        "award {award}: committed is 29,999.95, its transfers make 30,000.00",
    ),
    "a cap": (
        "UPDATE caps SET granted = granted + 5 WHERE holder = '{company}'",
        {"awards"},
        "cap of {company} in test-voucher 2026: granted is 59,000.05, its awards make 59,000.00",
    ),
    "the support of a contract": (
        "INSERT INTO stacks VALUES ('{company}', 'C-1', 5)",
        {"awards"},
        "contract C-1 of {company}: granted is 0.05, its awards make 0.00",
    ),
    "an envelope": (
        "UPDATE envelopes SET available = available - 5, committed = committed + 5",
        {"awards"},
        "envelope of test-voucher in 2026: committed is 60,000.05, its awards make 60,000.00",
    ),
    "a transfer that is gone": (
        "DELETE FROM transfers WHERE version = 3",
        {"chain", "entries", "awards"},
        "transfer 3 is missing",
    ),
    "the last transfer gone": (
        "DELETE FROM transfers WHERE version = (SELECT max(version) FROM transfers)",
        {"chain", "entries", "awards", "payments"},
        "transfer 7 is missing at the end",
    ),
    "a document": (
        "UPDATE transfers SET document = replace(document, '6000000', '6000001') WHERE version = 2",
        {"chain"},
        "its document was changed: it has another hash; its row and its document differ in amount",
    ),
    "the amount of a transfer": (
        "UPDATE transfers SET amount = amount + 5 WHERE version = 2",
        {"chain", "entries", "awards"},
        "its row and its document differ in amount",
    ),
    "a payment settled without a report": (
        "DELETE FROM reports WHERE payment_id = '{payment}'",
        {"payments"},
        "payment {payment}: settled is 30,000.00, the bank's reports make 0.00",
    ),
    "two reports that moved one payment": (
        """INSERT INTO reports (event_id, payment_id, type, amount, effect, detail, received_at)
        SELECT gen_random_uuid(), payment_id, type, amount, effect, detail, received_at FROM reports
        WHERE payment_id = '{payment}'""",
        {"payments"},
        "payment {payment}: settled is 30,000.00, the bank's reports make no single amount",
    ),
    "a payment that is settled without moving money": (
        "UPDATE payments SET status = 'settled' WHERE payment_id = '{open}'",
        {"payments"},
        "payment {open}: settled is 30,000.00, its transfers make 0.00",
    ),
    "a payment's amount": (
        "UPDATE payments SET amount = amount + 5 WHERE payment_id = '{open}'",
        {"payments"},
        "payment {open}: obligated is 30,000.05, its transfers make 30,000.00",
    ),
    "a payment that nobody ordered": (
        """INSERT INTO payments SELECT gen_random_uuid(), gen_random_uuid(), award_id, application_id, applicant,
        scheme, pool, 5, 'DDx', status, attempt, creditor, instructed_at FROM payments WHERE status = 'instructed'""",
        {"payments"},
        "obligated is 0.05, its transfers make 0.00",
    ),
    "a receipt": (
        "UPDATE recoveries SET received = received + 5",
        {"payments"},
        "received is 1,000.05, its transfers make 1,000.00",
    ),
    "what is kept back": (
        "INSERT INTO nettings SELECT '{open}', recovery_id, 5 FROM recoveries",
        {"payments"},
        "payment {open}: netted is 0.00, what it keeps back for each demand make 0.05",
    ),
}


@pytest.mark.parametrize("what", SPOILS)
async def test_each_wrong_figure_is_named_by_its_check_and_holds_its_pool(books: Books, what: str) -> None:
    statements, checks, says = SPOILS[what]
    names = {
        "award": books.awards[0].award_id,
        "company": COMPANIES[0],
        "payment": books.instructed[0].payment_id,
        "open": books.instructed[1].payment_id,
    }
    assert await books.look() == set()

    await books.spoil(statements.format(**names))

    assert await books.look() == {(check, POOL) for check in checks}
    details = [await books.detail(check) for check in sorted(checks)]
    assert any(says.format(**names) in detail for detail in details), details
    assert await books.on_hold() == f"the reconciliation found a difference: {', '.join(sorted(checks))}"


@pytest.mark.parametrize(("table", "checks"), [("pools", {"entries", "identity"}), ("envelopes", {"identity"})])
async def test_books_that_do_not_add_up_are_found_even_without_the_databases_check(
    books: Books, table: str, checks: set[str]
) -> None:
    name = f"ck_{table}_balanced"
    await books.spoil(f"ALTER TABLE {table} DROP CONSTRAINT {name}; UPDATE {table} SET available = available + 5")

    found = await books.look()
    said = await books.detail("identity")

    rule = "CHECK (appropriated = available + committed + obligated + disbursed)"
    mended = f"UPDATE {table} SET available = available - 5"
    await books.spoil(f"{mended}; ALTER TABLE {table} ADD CONSTRAINT {name} {rule}")
    assert found == {(check, POOL) for check in checks}
    assert "00.00, its four states make" in said
    assert await books.look() == set()


BALANCE = SPOILS["a balance"][0]
MENDED = "UPDATE pools SET available = available + 5, committed = committed - 5"


async def test_from_a_pool_on_hold_nothing_is_awarded_and_payments_go_on(books: Books) -> None:
    first = approved(1_000 * YUAN, applicant=COMPANIES[2])
    await books.spoil(BALANCE)
    await books.look()

    assert only(await books.tell(first), ApplicationWaitlisted).on_hold
    assert only(await books.tell(settled(books.instructed[1])), ClaimPaid).paid.amount == 30_000 * YUAN
    assert only(await books.tell(verified(books.awards[1], 100 * YUAN)), PaymentInstructed).money.amount == 60 * YUAN


async def test_who_stands_first_in_line_is_told_when_the_pool_is_held(books: Books) -> None:
    applications = [approved(90_000 * YUAN, applicant=f"914403000000001{number:03d}") for number in range(5)]
    told = await books.tell(*applications)
    waiting = {event.application_id for event in told if isinstance(event, ApplicationWaitlisted)}
    assert waiting, "the envelope is used up"
    await books.spoil(BALANCE)
    await books.look()

    said = [row for row in await books.rows(tables.metadata.tables["outbox"]) if b'"on_hold":true' in row.data]
    assert {UUID(row.subject) for row in said} == waiting


async def test_a_pool_is_not_resumed_while_its_books_differ(books: Books) -> None:
    await books.spoil(BALANCE)
    await books.look()
    with pytest.raises(Refusal, match="books_differ: The books still differ \\(entries\\)"):
        await books.order(ResumePool(pool=POOL))

    await books.spoil(MENDED)
    assert await books.look(sums=False) == set()
    assert await books.on_hold() is not None, "two persons resume it, not the reconciliation"
    await books.order(ResumePool(pool=POOL))

    assert await books.on_hold() is None
    only(await books.tell(approved(1_000 * YUAN, applicant=COMPANIES[2])), AwardIssued)


async def test_a_difference_keeps_the_time_at_which_it_was_found(books: Books) -> None:
    await books.spoil(BALANCE)
    await books.look()
    await books.tell(approved(1_000 * YUAN, applicant=COMPANIES[2]), settled(books.instructed[1]))
    await books.look()

    [entries] = [row for row in await books.rows(tables.reconciliations) if row.check_name == "entries"]
    assert entries.found_at < entries.checked_at
    assert entries.difference == 10


async def test_what_a_second_look_does_not_see_holds_nothing(books: Books) -> None:
    await books.look()
    await books.spoil("UPDATE ledger_checkpoints SET available = available + 5, committed = committed - 5")

    assert await books.look() == set()
    assert await books.on_hold() is None
    [pool] = await books.rows(tables.pools)
    kept = {(row.reader, row.version, row.available) for row in await books.rows(tables.ledger_checkpoints)}
    assert ("new", pool.version, pool.available) in kept, "the first look's place was wrong, and is right again"


async def test_a_look_goes_on_where_the_last_one_ended(books: Books) -> None:
    await books.look()
    before = {row.reader: row.version for row in await books.rows(tables.ledger_checkpoints)}
    await books.tell(approved(1_000 * YUAN, applicant=COMPANIES[2]))
    await books.look()

    [pool] = await books.rows(tables.pools)
    after = {row.reader: row.version for row in await books.rows(tables.ledger_checkpoints)}
    assert (before["new"], after["new"]) == (pool.version - 1, pool.version)
    assert before["again"] == after["again"] == 0, "the whole ledger was read again, and the next round begins"


async def test_a_flaw_that_people_signed_is_no_difference_any_more(books: Books) -> None:
    await books.spoil("UPDATE transfers SET document = replace(document, 'nanshan', 'futian') WHERE version = 2")
    assert await books.look() == {("chain", POOL)}

    signed = "INSERT INTO known_flaws VALUES ('test-pool', 2, 'OPS-7: restored by hand', 'li.wei, wang.fang', now())"
    await books.spoil(signed)

    assert await books.look() == set()


async def test_a_bank_report_of_an_unknown_payment_that_moved_anything_concerns_every_pool(books: Books) -> None:
    await books.spoil(
        """INSERT INTO reports (event_id, payment_id, type, amount, effect, detail, received_at)
        VALUES (gen_random_uuid(), gen_random_uuid(), 'payment.settled', 7, 'moved', '', now())"""
    )

    assert await books.look() == {("payments", POOL)}
    assert "settled is 0.00, the bank's reports make 0.07" in await books.detail("payments")
