"""What a pain.001 can say: lengths of the schema's types, no control characters, no payment twice."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.common import Account
from contracts.refusal import Refusal
from disbursement.iso20022.messages import Batch, Payment

MAX_ID: Final = 35  # Max35Text, and a member's number in a clearing system
MAX_NAME: Final = 140
MAX_ACCOUNT: Final = 34
MAX_PURPOSE: Final = 140
MAX_FEN: Final = 10**17 - 1  # an amount and a control sum have 18 digits; one is kept free

# What XML 1.0 can't hold, and control characters that it can: no name and no number has any.
_UNWRITABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Field = tuple[str, str, int]


def refuse_unwritable(batch: Batch) -> None:
    """Raise Refusal, its pointer at the first field in the batch that a pain.001 can't say."""
    _refuse_texts(_batch_fields(batch))
    if batch.created_at.tzinfo is None:
        raise _wrong("/created_at", "没有时区", "has no time zone")
    if not batch.payments:
        raise _wrong("/payments", "没有任何付款", "holds no payment")
    seen: set[str] = set()
    for place, payment in enumerate(batch.payments):
        path = f"/payments/{place}"
        refuse_unwritable_payment(payment, path)
        if payment.pool not in batch.debtors:
            raise _wrong(f"{path}/pool", "没有对应的付款账户", "has no debtor's account in this batch")
        if payment.end_to_end_id in seen:
            raise _wrong(f"{path}/end_to_end_id", "在本批中重复", "is in this batch twice; it would be paid twice")
        seen.add(payment.end_to_end_id)
    if sum(payment.amount for payment in batch.payments) > MAX_FEN:
        raise _wrong("/payments", "合计金额过大，请分批", "add up to more than a control sum can say; split the batch")


def refuse_unwritable_payment(payment: Payment, path: str = "") -> None:
    """Raise Refusal when one payment can't be written, so that it can be set aside before a batch is made."""
    _refuse_texts(_payment_fields(payment, path))
    if not 0 < payment.amount <= MAX_FEN:
        raise _wrong(f"{path}/amount", f"须为 1 至 {MAX_FEN} 分", f"has to be between 1 and {MAX_FEN} fen")


def refuse_unwritable_account(account: Account, path: str) -> None:
    """Raise Refusal when an account can't be named, so that it is found out before the first payment from it."""
    _refuse_texts(_account_fields(account, path))


def _batch_fields(batch: Batch) -> Iterator[Field]:
    yield "/message_id", batch.message_id, MAX_ID
    yield "/initiating_party", batch.initiating_party, MAX_NAME
    for pool, debtor in batch.debtors.items():
        yield f"/debtors/{pool}", pool, MAX_ID
        yield from _account_fields(debtor, f"/debtors/{pool}")


def _payment_fields(payment: Payment, path: str) -> Iterator[Field]:
    yield f"{path}/end_to_end_id", payment.end_to_end_id, MAX_ID
    yield f"{path}/instruction_id", payment.instruction_id, MAX_ID
    yield f"{path}/purpose", payment.purpose, MAX_PURPOSE
    yield from _account_fields(payment.creditor, f"{path}/creditor")


def _account_fields(account: Account, path: str) -> Iterator[Field]:
    yield f"{path}/name", account.name, MAX_NAME
    yield f"{path}/account", account.account, MAX_ACCOUNT
    yield f"{path}/bank_code", account.bank_code, MAX_ID


def _refuse_texts(fields: Iterator[Field]) -> None:
    for pointer, text, longest in fields:
        if not text.strip():
            raise _wrong(pointer, "为空", "is empty")
        if len(text) > longest:
            raise _wrong(pointer, f"超过 {longest} 个字符", f"is longer than {longest} characters")
        if _UNWRITABLE.search(text):
            raise _wrong(pointer, "含有控制字符", "has a control character in it")


def _wrong(pointer: str, zh: str, en: str) -> Refusal:
    return Refusal("unwritable", f"{pointer} {zh}。", f"{pointer} {en}.", status=422, pointer=pointer)
