"""Reads pain.002, the customer payment status report: what the bank makes of the orders that it got."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from lxml import etree

from disbursement.iso20022.document import Document
from disbursement.iso20022.messages import Outcome, Rejection, Report, Statement

REJECTED: Final = "RJCT"
# Of ISO 20022's external payment transaction status codes. What is not here is not guessed.
OUTCOMES: Final[dict[str, Outcome]] = {
    "ACSC": "settled",
    "ACCC": "settled",
    REJECTED: "returned",
    "RCVD": "pending",
    "ACTC": "pending",
    "ACCP": "pending",
    "ACFC": "pending",
    "ACSP": "pending",
    "ACWC": "pending",
    "ACWP": "pending",
    "PDNG": "pending",
}
_AMOUNTS: Final = ("OrgnlTxRef/Amt/InstdAmt", "OrgnlTxRef/Amt/EqvtAmt/Amt", "OrgnlTxRef/IntrBkSttlmAmt")


class _Level(msgspec.Struct, frozen=True):
    """The original message, or one PmtInf of it, which is a pool: what the bank says of all that is in it."""

    element: etree._Element
    pool: str | None
    status: str | None
    reason: str | None

    @property
    def rejected(self) -> bool:
        return self.status == REJECTED


class _Transaction(msgspec.Struct, frozen=True):
    """A TxInfAndSts. ``status`` and ``reason`` are its own, or those of the rejection that it is part of."""

    element: etree._Element
    end_to_end_id: str
    status: str
    reason: str | None
    amount: int | None


def read(document: Document) -> Statement:
    """Return what the bank says. Raises FileRefusedError where it contradicts itself or does not add up."""
    group = _level(document, document.the(document.message, "OrgnlGrpInfAndSts"))
    _refuse_other_orders(document, group.element)
    pools: list[_Level] = []
    transactions: list[_Transaction] = []
    for element in document.all(document.message, "OrgnlPmtInfAndSts"):
        pool = _level(document, element)
        own = [_transaction(document, one, (pool, group)) for one in document.all(element, "TxInfAndSts")]
        _hold_level(document, pool, own)
        pools.append(pool)
        transactions += own
    _hold_level(document, group, transactions)
    _refuse_contradiction(document, group, [(pool.element, pool.status) for pool in pools if pool.status])
    _refuse_twice(document, transactions)
    message_id = document.the_text(document.message, "GrpHdr/MsgId")
    at = document.instant(document.the(document.message, "GrpHdr/CreDtTm"))
    original_message_id = document.the_text(group.element, "OrgnlMsgId")
    return Statement(
        kind=document.kind,
        message_id=message_id,
        created_at=at,
        original_message_id=original_message_id,
        group_status=group.status,
        rejections=tuple(
            _rejection(document, level, original_message_id, at) for level in (group, *pools) if level.rejected
        ),
        reports=tuple(_report(document, transaction, message_id, at) for transaction in transactions),
    )


def _level(document: Document, element: etree._Element) -> _Level:
    return _Level(
        element=element,
        pool=document.text(element, "OrgnlPmtInfId"),
        status=document.text(element, "GrpSts", "PmtInfSts"),
        reason=_reason(document, element),
    )


def _transaction(document: Document, element: etree._Element, above: tuple[_Level, ...]) -> _Transaction:
    """Read one payment. Its own status counts, or that of the whole if the whole is rejected; nothing is assumed."""
    end_to_end_id = document.text(element, "OrgnlEndToEndId")
    if end_to_end_id is None:
        raise document.refusal(
            element, "end_to_end_id_missing", "缺少 OrgnlEndToEndId", "OrgnlEndToEndId is missing: which payment is it?"
        )
    rejected = [level for level in above if level.rejected]
    status = document.text(element, "TxSts") or (REJECTED if rejected else None)
    if status not in OUTCOMES:
        raise document.refusal(
            element,
            "unknown_status",
            f"状态 {status} 无法识别",
            f"the status is {status}, which is no outcome that we know",
        )
    reasons = [_reason(document, element), *(level.reason for level in rejected)]
    sums = [document.amount(amount) for path in _AMOUNTS for amount in document.all(element, path)]
    return _Transaction(element, end_to_end_id, status, next(filter(None, reasons), None), sums[0] if sums else None)


def _reason(document: Document, element: etree._Element) -> str | None:
    return document.text(element, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")


def _report(document: Document, transaction: _Transaction, message_id: str, at: datetime) -> Report:
    return Report(
        end_to_end_id=transaction.end_to_end_id,
        instruction_id=document.text(transaction.element, "OrgnlInstrId"),
        outcome=OUTCOMES[transaction.status],
        amount=transaction.amount,
        bank_reference=document.text(transaction.element, "AcctSvcrRef", "ClrSysRef", "StsId") or message_id,
        reason_code=transaction.reason,
        at=at,
        line=document.line(transaction.element),
    )


def _rejection(document: Document, level: _Level, original_message_id: str, at: datetime) -> Rejection:
    return Rejection(
        original_message_id=original_message_id,
        pool=level.pool,
        reason_code=level.reason,
        at=at,
        line=document.line(level.element),
    )


def _refuse_other_orders(document: Document, group: etree._Element) -> None:
    """A report on direct debits, which have the same ids, is none on our payments."""
    name = document.the(group, "OrgnlMsgNmId")
    if not (name.text or "").lower().startswith("pain.001"):
        raise document.refusal(
            name, "other_orders", f"针对的报文是 {name.text}，不是 pain.001", f"it answers {name.text}, not a pain.001"
        )


def _refuse_twice(document: Document, transactions: Iterable[_Transaction]) -> None:
    seen: set[str] = set()
    for transaction in transactions:
        if transaction.end_to_end_id in seen:
            raise document.refusal(
                transaction.element,
                "twice",
                f"{transaction.end_to_end_id} 在文件中出现两次",
                f"{transaction.end_to_end_id} is in the file twice",
            )
        seen.add(transaction.end_to_end_id)


def _hold_level(document: Document, level: _Level, listed: Sequence[_Transaction]) -> None:
    """Hold what is said of a whole against the payments that are listed in it."""
    _refuse_contradiction(document, level, [(transaction.element, transaction.status) for transaction in listed])
    _hold_per_status(document, level.element, listed)
    number = document.text(level.element, "OrgnlNbOfTxs")
    if number is not None and int(number) <= len(listed):  # a bank may report on some of them only
        document.hold_count(level.element, "OrgnlNbOfTxs", len(listed))
        _hold_sum(document, level.element, "OrgnlCtrlSum", _sum(listed))


def _refuse_contradiction(document: Document, level: _Level, parts: Iterable[tuple[etree._Element, str]]) -> None:
    """What is said to be settled or returned as a whole has no part that is not."""
    whole = OUTCOMES.get(level.status or "", "pending")
    for element, status in parts:
        if whole != "pending" and OUTCOMES.get(status) != whole:
            raise document.refusal(
                element,
                "contradiction",
                f"状态 {status} 与整体状态 {level.status} 矛盾",
                f"{status} contradicts {level.status}, the status of the whole",
            )


def _hold_per_status(document: Document, level: etree._Element, listed: Sequence[_Transaction]) -> None:
    """Hold the numbers and sums per status. A bank may list none of the payments in a status, or all, but not some."""
    counts = Counter(transaction.status for transaction in listed)
    sums = {status: _sum([one for one in listed if one.status == status]) for status in counts}
    claimed = 0
    for totals in document.all(level, "NbOfTxsPerSts"):
        status = document.the_text(totals, "DtldSts")
        claimed += int(document.the_text(totals, "DtldNbOfTxs"))
        if status in counts:
            document.hold_count(totals, "DtldNbOfTxs", counts[status])
            _hold_sum(document, totals, "DtldCtrlSum", sums[status])
    if claimed:
        document.hold_count(level, "OrgnlNbOfTxs", claimed)


def _sum(listed: Iterable[_Transaction]) -> int | None:
    """Return the fen of the payments, or None if the bank leaves out one amount."""
    sums = [transaction.amount for transaction in listed]
    return None if None in sums else sum(filter(None, sums))


def _hold_sum(document: Document, within: etree._Element, path: str, found: int | None) -> None:
    if found is not None:
        document.hold_sum(within, path, found)
