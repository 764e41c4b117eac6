"""Payments to the bank as files: what was instructed and is in no file yet is written once, and kept to the byte.

A city pays from these files or from the topic, never from both: both carry the same instructions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Account
from contracts.refusal import Refusal
from disbursement import creditors, tables, views
from disbursement.iso20022 import pain001
from disbursement.iso20022.checks import refuse_unwritable_payment
from disbursement.iso20022.document import BEIJING
from disbursement.iso20022.messages import Batch, Payment
from kit.among import among
from kit.idempotency import Answer, Key, answer
from kit.identifiers import uuid7
from kit.rows import insert_rows
from kit.sealing import Keyring, is_sealed, keyring_of

MOST_PAYMENTS: Final = 10_000  # in one file: about 9 MB, and two seconds of one core
MOST_NAMED: Final = 100  # of the payments that can't be written, in the answer


class MakePaymentFile(msgspec.Struct, frozen=True, kw_only=True):
    """Write what was instructed and is in no file yet, of these pools or (None) of all."""

    key: Key | None
    by: str
    pools: frozenset[str] | None


class _Due(msgspec.Struct, frozen=True):
    """An instruction that is in no file yet."""

    payment_id: UUID
    attempt: int
    order: Payment


async def make(
    connection: AsyncConnection, command: MakePaymentFile, debtors: Mapping[str, Account] | None, now: datetime
) -> Answer:
    """Write and keep one file under the pools' locks. ``debtors`` has each pool's account, and is None if switched off.

    What the format can't say is left out and named in the answer: it must not hold up the others. Raises Refusal
    when there is nothing to write, or no account to pay it from.
    """
    if debtors is None:
        raise _switched_off()
    await _lock(connection, command.pools)
    found = await _due(connection, command.pools)
    due, left_out = _parted(found[:MOST_PAYMENTS])
    if not due:
        raise _nothing(left_out)
    batch = _batch([each.order for each in due], debtors, now)
    content = await asyncio.to_thread(pain001.write, batch)
    row = {
        "message_id": batch.message_id,
        "pools": sorted(batch.debtors),
        "created_at": now,
        "created_by": command.by,
        "payments": len(due),
        "control_sum": sum(payment.amount for payment in batch.payments),
        "sha256": sha256(content).hexdigest(),
    }
    kept = sealed(keyring_of(connection), batch.message_id, content)
    await connection.execute(insert(tables.payment_files).values(**row, content=kept))
    entries = [{"payment_id": each.payment_id, "attempt": each.attempt, "message_id": batch.message_id} for each in due]
    await insert_rows(connection, tables.payment_file_entries, entries)
    more = {"left_out": left_out[:MOST_NAMED], "more": len(found) > MOST_PAYMENTS}
    return answer(201, views.payment_file(row) | more)


def sealed(keyring: Keyring, message_id: str, content: bytes) -> bytes:
    """Return a file as it is kept: it names all accounts."""
    return keyring.seal(content, _about(message_id)).encode() if keyring.seals else content


def opened(keyring: Keyring, message_id: str, kept: bytes) -> bytes:
    """Return a file to the byte. Raises SealedError."""
    return keyring.open(kept.decode(), _about(message_id)) if is_sealed(kept) else kept


def _about(message_id: str) -> str:
    return f"payment_file:{message_id}"


def instruction_id(payment_id: UUID, attempt: int) -> str:
    """Return what names one attempt in a file; ``end_to_end_id`` is the same for all. At most 35 characters to 99."""
    return f"{payment_id.hex}-{attempt}"


def attempt_of(payment_id: UUID, told: str | None) -> int | None:
    """Return the attempt that an instruction id names, or None if it is not one of this payment's."""
    prefix, _, attempt = (told or "").rpartition("-")
    return int(attempt) if prefix == payment_id.hex and attempt.isdecimal() else None


async def _lock(connection: AsyncConnection, pools: frozenset[str] | None) -> None:
    """Lock the pools, in the order of their names: nothing is instructed, reported or filed meanwhile."""
    query = select(tables.pools.c.pool).order_by(tables.pools.c.pool).with_for_update()
    if pools is not None:
        query = query.where(among(tables.pools.c.pool, pools))
    locked = set((await connection.execute(query)).scalars())
    unknown = sorted((pools or set()) - locked)
    if unknown:
        raise Refusal(
            "pool_not_found",
            f"/pools：未找到资金池 {unknown[0]}。",
            f"/pools: There is no pool {unknown[0]}.",
            status=404,
            pointer="/pools",
        )


async def _due(connection: AsyncConnection, pools: frozenset[str] | None) -> list[_Due]:
    """Return the instructions that are in no file yet, oldest first, one more than fit into a file."""
    payments, entries = tables.payments.c, tables.payment_file_entries.c
    filed = select(entries.payment_id).where(
        entries.payment_id == payments.payment_id, entries.attempt == payments.attempt
    )
    query = select(tables.payments).where(payments.status == "instructed", ~filed.exists())
    if pools is not None:
        query = query.where(among(payments.pool, pools))
    rows = await connection.execute(query.order_by(payments.payment_id).limit(MOST_PAYMENTS + 1))
    return [_Due(row.payment_id, row.attempt, _order(keyring_of(connection), row)) for row in rows]


def _order(keyring: Keyring, row: Any) -> Payment:
    return Payment(
        pool=row.pool,
        end_to_end_id=row.end_to_end_id,
        instruction_id=instruction_id(row.payment_id, row.attempt),
        amount=row.amount,
        creditor=creditors.opened(keyring, row.application_id, row.creditor),
        purpose=f"{row.scheme} {row.claim_id}",
    )


def _parted(found: Sequence[_Due]) -> tuple[list[_Due], list[dict[str, Any]]]:
    """Return what can be written, and what can't with the reason why."""
    due, left_out = [], []
    for each in found:
        try:
            refuse_unwritable_payment(each.order)
            due.append(each)
        except Refusal as refusal:
            reason = {"pointer": refusal.pointer, "detail": {"zh-CN": refusal.text.zh, "en": refusal.text.en}}
            left_out.append({"payment_id": each.payment_id, **reason})
    return due, left_out


def _batch(payments: Sequence[Payment], debtors: Mapping[str, Account], now: datetime) -> Batch:
    """Return the file's content. It is to be carried out on the day on which it is made."""
    pools = sorted({payment.pool for payment in payments})
    without = [pool for pool in pools if pool not in debtors]
    if without:
        raise Refusal(
            "debtor_missing",
            f"资金池 {without[0]} 未设置付款账户。请在资金方案文件中为其设置 debtor: {{name, account, bank_code}}。",
            f"The pool {without[0]} has no account to pay from. Set its debtor: {{name, account, bank_code}} in the "
            "programme's file, and start the service again.",
        )
    return Batch(
        message_id=f"DF{uuid7().hex}",
        created_at=now,
        requested_on=now.astimezone(BEIJING).date(),
        initiating_party=debtors[pools[0]].name,
        debtors={pool: debtors[pool] for pool in pools},
        payments=tuple(payments),
    )


def _switched_off() -> Refusal:
    return Refusal(
        "payment_files_off",
        "未启用付款文件：款项由财务系统按消息支付。请先确认其不再按消息支付，再设置 DISBURSEMENT_PAYMENT_FILES=true。",
        "Payment files are switched off: the finance system pays from the topic. Make sure that it no longer does, "
        "then set DISBURSEMENT_PAYMENT_FILES=true.",
    )


def _nothing(left_out: Sequence[Mapping[str, Any]]) -> Refusal:
    if not left_out:
        return Refusal("nothing_to_pay", "没有待写入文件的付款。", "Every payment that was instructed is in a file.")
    first, why = left_out[0]["payment_id"], left_out[0]["detail"]
    return Refusal(
        "nothing_to_pay",
        f"没有可写入文件的付款；{len(left_out)} 笔无法写入，其中 {first}：{why['zh-CN']}",
        f"There is nothing that can be written; {len(left_out)} can't be, of them {first}: {why['en']}",
    )
