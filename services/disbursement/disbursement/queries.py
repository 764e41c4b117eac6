"""What the HTTP side reads: rows as the contract's JSON, money as {amount, currency}, pages by id."""

from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Column, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from disbursement import payment_files as payment_files_kept
from disbursement import tables, views
from disbursement.records import Order
from kit.sealing import keyring_of

_BOOKS: Final = ("appropriated", "available", "committed", "obligated", "disbursed")
_AWARD_MONEY: Final = ("approved", "awarded", "claimed", "paid", "rest", "released", "recovered", "corrected_to")


async def pools(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return every pool with its balances, from one snapshot."""
    rows = await connection.execute(select(tables.pools).order_by(tables.pools.c.pool))
    return [
        {
            "pool": row.pool,
            "name": {"zh-CN": row.name_zh, "en": row.name_en},
            "version": row.version,
            "hash": row.hash,
            "on_hold": row.on_hold,
            **{name: _money(getattr(row, name)) for name in _BOOKS},
        }
        for row in rows
    ]


async def award(connection: AsyncConnection, award_id: UUID) -> dict[str, Any] | None:
    """Return one award, or None."""
    row = (await connection.execute(_awards().where(tables.awards.c.award_id == award_id))).mappings().first()
    return _with_money(row, _AWARD_MONEY) if row else None


async def awards(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return awards with ids above ``after``."""
    rows = (await connection.execute(_page(_awards(), tables.awards.c.award_id, after, limit))).mappings()
    return [_with_money(row, _AWARD_MONEY) for row in rows]


async def claims(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return claims with ids above ``after``."""
    rows = await connection.execute(_page(select(tables.claims), tables.claims.c.claim_id, after, limit))
    return [_with_money(row, ("eligible", "payable")) for row in rows.mappings()]


async def payments(
    connection: AsyncConnection, *, status: str | None, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return payments with ids above ``after``, of one status or of all. The creditor's account stays out.

    ``file_message_id`` is the file that holds the latest attempt, if one does.
    """
    entries = tables.payment_file_entries.c
    latest = (entries.payment_id == tables.payments.c.payment_id) & (entries.attempt == tables.payments.c.attempt)
    query = (
        _without(tables.payments, "creditor")
        .add_columns(entries.message_id.label("file_message_id"))
        .outerjoin(tables.payment_file_entries, latest)
    )
    if status is not None:
        query = query.where(tables.payments.c.status == status)
    rows = (await connection.execute(_page(query, tables.payments.c.payment_id, after, limit))).mappings()
    return [{**_with_money(row, ("netted",)), "money": _money(row["amount"])} for row in rows]


async def transfers(connection: AsyncConnection, *, pool: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Return a pool's transfers above a version, exactly as they were published."""
    columns = tables.transfers.c
    query = select(columns.document).where(columns.pool == pool, columns.version > after)
    documents = (await connection.execute(query.order_by(columns.version).limit(limit))).scalars()
    return [msgspec.json.decode(document) for document in documents]


async def discrepancies(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return the bank reports that fit no payment, or not as it stands."""
    query = select(tables.reports).where(tables.reports.c.effect == "discrepancy")
    rows = (await connection.execute(_page(query, tables.reports.c.event_id, after, limit))).mappings()
    return [{**dict(row), "money": _money(row["amount"])} for row in rows]


async def envelopes(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Return every envelope in use."""
    order = (tables.envelopes.c.scheme, tables.envelopes.c.fiscal_year)
    rows = (await connection.execute(select(tables.envelopes).order_by(*order))).mappings()
    return [_with_money(row, _BOOKS) for row in rows]


async def recoveries(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return demands with ids above ``after``."""
    query = _page(select(tables.recoveries), tables.recoveries.c.recovery_id, after, limit)
    rows = (await connection.execute(query)).mappings()
    return [_with_money(row, ("demanded", "received", "netted", "reserved", "written_off")) for row in rows]


async def orders(
    connection: AsyncConnection, *, status: str | None, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return orders with ids above ``after``, of one status or of all."""
    query = select(tables.orders)
    if status is not None:
        query = query.where(tables.orders.c.status == status)
    rows = (await connection.execute(_page(query, tables.orders.c.order_id, after, limit))).mappings()
    return [views.order(Order(**row)) for row in rows]


async def payment_files(connection: AsyncConnection, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Return what files of payments there are, with ids above ``after``, which is the order of their making."""
    query = _page(_without(tables.payment_files, "content"), tables.payment_files.c.message_id, after, limit)
    return [views.payment_file(row) for row in (await connection.execute(query)).mappings()]


async def payment_file(connection: AsyncConnection, message_id: str) -> bytes | None:
    """Return a file of payments to the byte, or None."""
    query = select(tables.payment_files.c.content).where(tables.payment_files.c.message_id == message_id)
    kept: bytes | None = (await connection.execute(query)).scalar()
    return None if kept is None else payment_files_kept.opened(keyring_of(connection), message_id, kept)


async def bank_files(connection: AsyncConnection, *, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the bank's files with what they did, in the order of their ids, which the bank chose."""
    query = _page(select(tables.bank_files), tables.bank_files.c.message_id, after, limit)
    rows = (await connection.execute(query)).mappings()
    return [{**row, "answer": msgspec.json.decode(row["answer"])} for row in rows]


def _awards() -> Select[Any]:
    columns = tables.awards.c
    return _without(tables.awards, "creditor", "cap_holder", "committed", "obligated", "disbursed").add_columns(
        (columns.obligated + columns.disbursed).label("claimed"),
        columns.disbursed.label("paid"),
        columns.committed.label("rest"),
    )


def _without(table: Table, *names: str) -> Select[Any]:
    return select(*[column for column in table.c if column.name not in names])


def _page(query: Select[Any], identifier: Column[Any], after: UUID | str | None, limit: int) -> Select[Any]:
    if after is not None:
        query = query.where(identifier > after)
    return query.order_by(identifier).limit(limit)


def _with_money(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _money(value) if name in names else value for name, value in row.items()}


def _money(amount: int | None) -> dict[str, Any] | None:
    return None if amount is None else {"amount": amount, "currency": "CNY"}
