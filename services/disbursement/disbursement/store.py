"""Stores what a batch changed: a few statements, however many events (``loading`` is the way in)."""

from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Table
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
from kit.database import to_json
from kit.rows import Writes, rows_of

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

_KEEP_NEWEST: Final = """
INSERT INTO companies (uscc, members, as_of)
SELECT uscc, ARRAY(SELECT jsonb_array_elements_text(members)), as_of
FROM unnest(CAST($1 AS text[]), CAST($2 AS jsonb[]), CAST($3 AS timestamptz[])) AS given(uscc, members, as_of)
ON CONFLICT (uscc) DO UPDATE SET members = excluded.members, as_of = excluded.as_of
WHERE companies.as_of < excluded.as_of
"""


def store(connection: AsyncConnection, book: Book) -> None:
    """Have written the changed records, new transfers, policies and reports, with what is said (``outbox.add``)."""
    book.said.writes = writes = Writes(connection)
    for kind, table in _STORED:
        writes.insert_records(table, book.added(kind))
        writes.update_rows(table, rows_of(book.touched(kind)))
    writes.insert_records(tables.transfers, book.transfers)
    policies = [
        {"scheme": policy.scheme, "version": policy.version, "policy": to_builtins(policy)}
        for policy in book.new_policies
    ]
    writes.insert_rows(tables.policies, policies)
    _store_companies(writes, [*book.added(Company), *book.touched(Company)])


async def store_now(connection: AsyncConnection, book: Book) -> None:
    """Do what ``store`` does, for somebody who reads it before what is said is written."""
    store(connection, book)
    await book.said.make_writes()


def _store_companies(writes: Writes, companies: list[Company]) -> None:
    """Keep the newest that is known of each company: no pool's lock covers it."""
    if not companies:
        return
    companies.sort(key=attrgetter("uscc"))
    columns = (
        [company.uscc for company in companies],
        [to_json(company.members) for company in companies],
        [company.as_of for company in companies],
    )
    writes.run(_KEEP_NEWEST, columns)
