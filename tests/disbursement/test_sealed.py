"""Accounts in disbursement: what is stored of them, rows from before, and an erasure that keeps the books."""

import re
from typing import Any

from sqlalchemy import text

from contracts.common import Account
from contracts.events import AccountVerificationRequested
from contracts.policy import PaymentRules
from disbursement import sealed, tables
from disbursement.privacy import Holdings
from kit import outbox, sealing
from kit.database import Database
from kit.outbox import Announcements
from kit.privacy import held_of
from kit.resealing import Resealer
from tests.disbursement.scenes import (
    NOW,
    YUAN,
    Scene,
    approved,
    policy,
    publish,
    verified,
)

FIRST = Account("王小明", "6222000011112222", "ICBKCNBJ")
OTHER = Account("王小明", "6222000099992222", "ICBKCNBJ")  # with the same mask
COMPANY = "914403000000000077"


async def lived(database: Database) -> None:
    """Award, ask whose account it is, hold the payment until that is known; say all of it."""
    async with database.transaction() as connection:
        scene = Scene(connection)
        await publish(scene, policy(version="2", payments=PaymentRules(verify_account=True)))
        said = await scene.tell(approved(60_000 * YUAN, applicant=COMPANY, creditor=FIRST, policy_version="2"))
        [award] = [event for event in said if event.TYPE == "award.issued"]
        [asked] = [event for event in said if isinstance(event, AccountVerificationRequested)]
        assert asked.creditor == FIRST
        said += await scene.tell(verified(award, 50_000 * YUAN))
        await _say(connection, said)


async def _say(connection: Any, said: list[Any]) -> None:
    announcements = Announcements()
    for event in said:
        announcements.say(event)
    await outbox.add(connection, announcements)


async def dump(database: Database) -> str:
    async with database.reading() as connection:
        found = [
            str(row)
            for table in tables.metadata.sorted_tables
            for row in (await connection.execute(text(f"SELECT CAST(t AS text) FROM {table.name} AS t"))).scalars()
        ]
    said = "\n".join(found)
    hidden = re.findall(r"\\x((?:[0-9a-f]{2})+)", said)
    return said + "".join(bytes.fromhex(part).decode(errors="replace") for part in hidden)


async def test_no_table_has_an_account_in_clear_and_the_outbox_is_sealed_until_it_is_sent(
    emptied: Database, opened: Any
) -> None:
    await lived(emptied)
    found = await dump(emptied)
    assert found.count("****2222") >= 3
    assert [value for value in (FIRST.account, FIRST.name) if value in found] == []
    async with emptied.reading() as connection:
        query = text("SELECT event_id, data FROM outbox WHERE type LIKE '%account.verification_requested%'")
        [row] = (await connection.execute(query)).all()
    assert sealing.is_sealed(row.data)
    assert FIRST.account.encode() in (outbox.opened(emptied.keyring, row.event_id, row.data) or b"")


async def test_rows_from_before_are_sealed_in_the_background(emptied: Database, opened: Any) -> None:
    await lived(emptied)
    async with emptied.transaction() as connection:
        clear = {"name": FIRST.name, "account": FIRST.account, "bank_code": FIRST.bank_code}
        for table in ("awards", "payments"):
            await connection.execute(
                text(
                    f"UPDATE {table} SET creditor = jsonb_build_object('name', CAST(:name AS text), "
                    "'account', CAST(:account AS text), 'bank_code', CAST(:bank_code AS text))"
                ),
                clear,
            )
        await connection.execute(
            text("UPDATE accounts SET name = :name, account = :account, sealed = NULL, fingerprint = NULL"), clear
        )
    assert FIRST.account in await dump(emptied)
    assert await Resealer(emptied, sealed.COLUMNS).look() == 3
    assert FIRST.account not in await dump(emptied)
    assert await Resealer(emptied, sealed.COLUMNS).look() == 0


async def test_an_export_opens_and_an_erasure_leaves_amounts(emptied: Database, opened: Any) -> None:
    await lived(emptied)
    holdings = Holdings()
    async with emptied.transaction() as connection:
        found = await held_of(connection, holdings, COMPANY)
        assert {row["creditor"]["account"] for row in found["awards"] + found["payments"]} == {FIRST.account}
        assert [row["account"] for row in found["accounts"]] == [FIRST.account]
        matters = await holdings.open_matters(connection, COMPANY, NOW)
        assert len(matters) == 2, matters
        changed = await holdings.erase(connection, COMPANY, NOW)
        assert changed == {"awards": 1, "payments": 1, "accounts": 1, "orders": 0}
        assert set((await holdings.erase(connection, COMPANY, NOW)).values()) == {0}
        left = await held_of(connection, holdings, COMPANY)
        amounts = [(row["awarded"], row["obligated"]) for row in left["awards"]]
        assert amounts == [(row["awarded"], row["obligated"]) for row in found["awards"]]
        assert left["transfers"] == found["transfers"] != []
    assert "2222" not in "".join(str(row) for table in ("awards", "payments", "accounts") for row in left[table])
    assert await Resealer(emptied, sealed.COLUMNS).look() == 0, "what was erased is left"
