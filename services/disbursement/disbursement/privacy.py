"""What disbursement holds of an applicant, to export and to erase (``kit.privacy``). No amount and no transfer changes.

Erased are the accounts of awards, payments, verifications and orders. Files of payments hold many companies' orders to
the bank and are vouchers of the books: they stay, sealed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Table, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts import common
from disbursement import creditors, sealed, tables
from kit import accounts, masking, sealing
from kit.privacy import Item
from kit.resealing import Column
from kit.sealing import Keyring

_AWARDS: Final = "SELECT award_id FROM awards WHERE applicant = :applicant"
_PAYMENTS: Final = "SELECT payment_id FROM payments WHERE applicant = :applicant"
_RECOVERIES: Final = "SELECT recovery_id FROM recoveries WHERE applicant = :applicant"
_ABOUT: Final = """(subject ->> 'payment_id' IN (SELECT CAST(payment_id AS text) FROM payments
    WHERE applicant = :applicant) OR subject ->> 'award_id' IN (SELECT CAST(award_id AS text) FROM awards
    WHERE applicant = :applicant) OR subject ->> 'recovery_id' IN (SELECT CAST(recovery_id AS text) FROM recoveries
    WHERE applicant = :applicant))"""

_LOCK: Final = text("SELECT pool FROM pools ORDER BY pool FOR UPDATE")  # no batch writes an account back meanwhile
_OPEN: Final = text(
    """
    SELECT 'award ' || award_id || ' is ' || status FROM awards
      WHERE applicant = :applicant AND (status = 'active' OR committed > 0 OR obligated > 0)
    UNION ALL SELECT 'payment ' || payment_id || ' is ' || status FROM payments
      WHERE applicant = :applicant AND status IN ('held', 'instructed', 'returned')
    UNION ALL SELECT 'recovery ' || recovery_id || ' is demanded' FROM recoveries
      WHERE applicant = :applicant AND status = 'demanded'
    UNION ALL SELECT 'application ' || application_id || ' waits for money' FROM applications
      WHERE applicant = :applicant AND state = 'waitlisted'
    """
)


class Holdings:
    """Disbursement's part of an export and of an erasure."""

    columns: Sequence[Column] = sealed.COLUMNS
    tables: Mapping[str, str] = {
        "applications": "applicant = :applicant",
        "awards": "applicant = :applicant",
        "claims": "applicant = :applicant",
        "accounts": "applicant = :applicant",
        "payments": "applicant = :applicant",
        "payment_file_entries": f"payment_id IN ({_PAYMENTS})",
        "recoveries": "applicant = :applicant",
        "nettings": f"payment_id IN ({_PAYMENTS})",
        "reports": f"payment_id IN ({_PAYMENTS}) OR recovery_id IN ({_RECOVERIES})",
        "orders": _ABOUT,
        "transfers": f"award_id IN ({_AWARDS})",
        "caps": "holder = :applicant",
        "companies": "uscc = :applicant OR :applicant = ANY(members)",
    }

    def opened(self, keyring: Keyring, table: str, row: Item) -> Item:
        match table:
            case "awards" | "payments" if not _is_erased(row["creditor"]):
                clear = creditors.opened(keyring, row["application_id"], row["creditor"])
                return {**row, "creditor": msgspec.to_builtins(clear)}
            case "accounts" if row["sealed"] and not _is_erased(row):
                kept = common.Account(row["name"], row["account"], row["bank_code"], row["sealed"])
                clear = accounts.opened(keyring, row["application_id"], kept)
                return {**row, "name": clear.name, "account": clear.account}
            case _:
                return row

    async def open_matters(self, connection: AsyncConnection, applicant: str, now: datetime) -> list[str]:
        await connection.execute(_LOCK)
        return list((await connection.execute(_OPEN, {"applicant": applicant})).scalars())

    async def erase(self, connection: AsyncConnection, applicant: str, now: datetime) -> dict[str, int]:
        changed = {
            table.name: await _erase_creditors(connection, table, key, applicant)
            for table, key in ((tables.awards, "award_id"), (tables.payments, "payment_id"))
        }
        return changed | {
            "accounts": await _erase_accounts(connection, applicant),
            "orders": await _erase_orders(connection, applicant),
        }

    async def finish(self, connection: AsyncConnection, applicant: str) -> int:
        return 0


def _is_erased(kept: Mapping[str, Any]) -> bool:
    return kept.get("sealed") == sealing.ERASED


async def _erase_creditors(connection: AsyncConnection, table: Table, key: str, applicant: str) -> int:
    rows = await connection.execute(select(table.c[key], table.c.creditor).where(table.c.applicant == applicant))
    gone = [(row[0], creditors.erased(row.creditor)) for row in rows if not _is_erased(row.creditor)]
    for identifier, creditor in gone:
        await connection.execute(update(table).where(table.c[key] == identifier).values(creditor=creditor))
    return len(gone)


async def _erase_accounts(connection: AsyncConnection, applicant: str) -> int:
    columns = tables.accounts.c
    gone = dict.fromkeys(("name", "account", "bank_code"), masking.HIDDEN)
    query = update(tables.accounts).where(
        columns.applicant == applicant, columns.sealed.is_distinct_from(sealing.ERASED)
    )
    return (await connection.execute(query.values(**gone, sealed=sealing.ERASED, fingerprint=None))).rowcount


async def _erase_orders(connection: AsyncConnection, applicant: str) -> int:
    """Erase the corrected accounts that persons asked to be paid to."""
    columns = tables.orders.c
    payments = select(tables.payments.c.payment_id).where(tables.payments.c.applicant == applicant)
    ids = {str(found) for found in (await connection.execute(payments)).scalars()}
    rows = await connection.execute(select(columns.order_id, columns.subject).where(columns.kind == "payment.instruct"))
    gone: list[tuple[UUID, dict[str, Any]]] = [
        (row.order_id, row.subject | {"creditor": creditors.erased(row.subject["creditor"])})
        for row in rows
        if row.subject["payment_id"] in ids and row.subject["creditor"] and not _is_erased(row.subject["creditor"])
    ]
    for order_id, subject in gone:
        await connection.execute(update(tables.orders).where(columns.order_id == order_id).values(subject=subject))
    return len(gone)
