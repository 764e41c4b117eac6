"""Stores what a batch changed: a few statements, however many events (``loading`` is the way in)."""

from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.codec import to_builtins
from disbursement import tables
from disbursement.book import Book
from disbursement.records import (
    Account,
    Application,
    Award,
    Cap,
    Claim,
    Company,
    Envelope,
    Line,
    Netting,
    Order,
    Payment,
    Pool,
    Recovery,
    Report,
    Stack,
)
from kit.rows import insert_records, insert_rows, rows_of, update_rows

_STORED: Final[tuple[tuple[type[Any], Table], ...]] = (
    (Pool, tables.pools),
    (Envelope, tables.envelopes),
    (Line, tables.lines),
    (Cap, tables.caps),
    (Stack, tables.stacks),
    (Application, tables.applications),
    (Award, tables.awards),
    (Claim, tables.claims),
    (Account, tables.accounts),
    (Payment, tables.payments),
    (Recovery, tables.recoveries),
    (Netting, tables.nettings),
    (Report, tables.reports),
    (Order, tables.orders),
)


async def store(connection: AsyncConnection, book: Book) -> None:
    """Write the changed records, the new transfers, policies and reports."""
    for kind, table in _STORED:
        await insert_records(connection, table, book.added(kind))
        await update_rows(connection, table, rows_of(book.touched(kind)))
    await _store_companies(connection, rows_of([*book.added(Company), *book.touched(Company)]))
    await insert_records(connection, tables.transfers, book.transfers)
    rows = [
        {"scheme": policy.scheme, "version": policy.version, "policy": to_builtins(policy)}
        for policy in book.new_policies
    ]
    await insert_rows(connection, tables.policies, rows)


async def _store_companies(connection: AsyncConnection, rows: list[dict[str, Any]]) -> None:
    """Keep the newest that is known of each company: no pool's lock covers it."""
    if not rows:
        return
    statement = insert(tables.companies).values(sorted(rows, key=lambda row: row["uscc"]))
    news = statement.excluded
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["uscc"],
            set_={"members": news.members, "as_of": news.as_of},
            where=tables.companies.c.as_of < news.as_of,
        )
    )
