"""The bank's files (pain.002, camt.054): what they say of each payment goes the way of every report (``reports``).

A file is applied whole, in one transaction, and once: its message id is remembered with what it did.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Text
from contracts.refusal import Refusal
from disbursement import bank_reports, loading, meters, needs, store, tables
from disbursement.bank_reports import Known
from disbursement.iso20022 import reading
from disbursement.iso20022.messages import Rejection, Report, Statement
from disbursement.iso20022.refusals import FileRefusedError
from kit.among import among
from kit.idempotency import Answer, Key
from kit.outbox import Announcements

MOST_REPORTS: Final = 20_000  # in one file: it is applied in one transaction, under the pools' locks
MOST_REJECTIONS: Final = 1_000  # of a whole, in one file: each is held against all payments that were sent


class TakeBankFile(msgspec.Struct, frozen=True, kw_only=True):
    """Apply what a file says. Its message id is its key; ``sha256``, of the file, tells another under the same id."""

    traceparent: str | None
    by: str
    sha256: str
    statement: Statement
    key: Key | None = None


def understood(content: bytes, *, by: str, traceparent: str | None) -> TakeBankFile:
    """Return the command to apply a file. Raises FileRefusedError. Takes seconds for a large one: not for a loop."""
    statement = reading.read(content)
    _refuse_more(statement.reports, MOST_REPORTS, Text(zh="笔付款", en="payments"))
    _refuse_more(statement.rejections, MOST_REJECTIONS, Text(zh="个整体拒绝", en="rejections of a whole"))
    return TakeBankFile(traceparent=traceparent, by=by, sha256=sha256(content).hexdigest(), statement=statement)


def _refuse_more(named: Sequence[Report | Rejection], most: int, what: Text) -> None:
    if len(named) > most:
        raise FileRefusedError(
            named[most].line,
            "too_many",
            Text(
                zh=f"文件超过 {most} {what.zh}，请拆分后重新发送。",
                en=f"The file has more than {most} {what.en}. Split it.",
            ),
        )


async def take(connection: AsyncConnection, command: TakeBankFile, now: datetime) -> tuple[Answer, Announcements]:
    """Apply a file under the pools' locks; return what it did and what is to be told.

    Raises Refusal for a message id that another file had.
    """
    statement = command.statement
    before = await _answered(connection, command)
    if before is not None:
        return before, Announcements()
    known = await _find(connection, statement)
    ids = {*known.ids.values(), *(known.filed or () if statement.rejections else ())}
    book = await loading.load(connection, needs.of_reports(ids), now)
    book.said.traceparent = command.traceparent
    applied = await asyncio.to_thread(bank_reports.apply, book, statement, known)
    await store.store_now(connection, book)
    meters.count(book)
    answer = Answer(200, msgspec.json.encode(applied))
    await connection.execute(
        insert(tables.bank_files).values(
            message_id=statement.message_id,
            kind=statement.kind,
            sha256=command.sha256,
            received_at=now,
            received_by=command.by,
            reports=len(statement.reports),
            answer=answer.body.decode(),
        )
    )
    return answer, book.said


async def _answered(connection: AsyncConnection, command: TakeBankFile) -> Answer | None:
    files = tables.bank_files.c
    query = select(files.sha256, files.answer).where(files.message_id == command.statement.message_id)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    if row.sha256 != command.sha256:
        raise Refusal(
            "message_id_reused",
            f"报文标识 {command.statement.message_id} 已用于内容不同的文件，请与银行核对。",
            f"The message id {command.statement.message_id} came before with another content. Ask the bank.",
        )
    return Answer(200, row.answer.encode())


async def _find(connection: AsyncConnection, statement: Statement) -> Known:
    """Find whose payments these are, and which attempts were in the file that is answered. Neither ever changes."""
    payments, entries = tables.payments.c, tables.payment_file_entries.c
    told = {report.end_to_end_id for report in statement.reports}
    query = select(payments.end_to_end_id, payments.payment_id).where(among(payments.end_to_end_id, told))
    ids = {row.end_to_end_id: row.payment_id for row in await connection.execute(query)}
    original = statement.original_message_id
    ours = select(func.count()).where(tables.payment_files.c.message_id == original)
    if original is None or not (await connection.execute(ours)).scalar_one():
        return Known(ids, None)
    query = select(entries.payment_id, entries.attempt).where(entries.message_id == original)
    return Known(ids, {row.payment_id: row.attempt for row in await connection.execute(query)})
