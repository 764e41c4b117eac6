"""Reads camt.054, the debit and credit notification: what the bank booked on a pool's account."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import product
from typing import Final

import msgspec
from lxml import etree

from disbursement.iso20022.document import Document
from disbursement.iso20022.messages import Outcome, Report, Statement

BOOKED: Final = "BOOK"
NOT_YET: Final = ("PDNG", "FUTR", "INFO")  # the rest of ISO 20022's external entry status codes
NO_ID: Final = "NOTPROVIDED"  # what stands for an id that nobody gave
RETURN: Final = "RRTN"  # bank transaction code, sub-family: reversal due to a payment's return

_TRUE: Final = ("true", "1")
CREDIT, DEBIT = 1, -1
_SIGNS: Final = {"CRDT": CREDIT, "DBIT": DEBIT}
_CODE: Final = (
    "BkTxCd/Domn/Cd",
    "BkTxCd/Domn/Fmly/Cd",
    "BkTxCd/Domn/Fmly/SubFmlyCd",
    "BkTxCd/Prtry/Cd",
    "BkTxCd/Prtry/Issr",
)


class _Entry(msgspec.Struct, frozen=True):
    """An Ntry: what counts for all of its transactions. ``signed`` is its amount in fen, below zero for a debit."""

    element: etree._Element
    signed: int
    sign: int
    code: tuple[str | None, ...]
    booked: bool
    reversal: bool
    reference: str
    at: datetime


class _Detail(msgspec.Struct, frozen=True):
    """A TxDtls of an entry, or the entry itself where the bank gives no details."""

    element: etree._Element
    signed: int
    sign: int


class _Totals(msgspec.Struct):
    """Of some entries: how many, what they move, and what remains when debits are taken from credits."""

    count: int = 0
    moved: int = 0
    net: int = 0


def read(document: Document) -> Statement:
    """Return what was booked. Raises FileRefusedError where an entry, a batch or a summary does not add up."""
    created_at = document.instant(document.the(document.message, "GrpHdr/CreDtTm"))
    reports: list[Report] = []
    passed_over: list[int] = []
    for notification in document.all(document.message, "Ntfctn"):
        for entry in _entries(document, notification, created_at):
            for detail in _details(document, entry):
                report = _report(document, entry, detail)
                if report is None:
                    passed_over.append(document.line(detail.element))
                else:
                    reports.append(report)
    return Statement(
        kind=document.kind,
        message_id=document.the_text(document.message, "GrpHdr/MsgId"),
        created_at=created_at,
        reports=tuple(reports),
        passed_over=tuple(passed_over),
    )


def _entries(document: Document, notification: etree._Element, created_at: datetime) -> list[_Entry]:
    """Return a notification's entries, which add up to its summary."""
    currency = document.find(notification, "Acct/Ccy")
    if currency is not None and currency.text != "CNY":
        raise document.refusal(
            currency,
            "currency",
            f"账户币种为 {currency.text}，仅接受 CNY",
            f"the account is in {currency.text}, not CNY",
        )
    own_time = document.find(notification, "CreDtTm")
    at = created_at if own_time is None else document.instant(own_time)
    reference = document.the_text(notification, "Id")
    entries = [_entry(document, element, reference, at) for element in document.all(notification, "Ntry")]
    _hold_summary(document, notification, entries)
    return entries


def _entry(document: Document, element: etree._Element, reference: str, at: datetime) -> _Entry:
    sign = _SIGNS[document.the_text(element, "CdtDbtInd")]
    booked_on = document.find(element, "BookgDt")
    return _Entry(
        element=element,
        signed=sign * document.amount(document.the(element, "Amt")),
        sign=sign,
        code=_code(document, element),
        booked=_is_booked(document, element),
        reversal=document.text(element, "RvslInd") in _TRUE,
        reference=document.text(element, "AcctSvcrRef", "NtryRef") or reference,
        at=at if booked_on is None else document.instant(booked_on[0]),
    )


def _is_booked(document: Document, entry: etree._Element) -> bool:
    status = document.text(entry, "Sts/Cd", "Sts/Prtry")
    if status != BOOKED and status not in NOT_YET:
        raise document.refusal(
            document.the(entry, "Sts"),
            "unknown_status",
            f"状态 {status} 无法识别",
            f"the status is {status}, which is none that we know",
        )
    return status == BOOKED


def _code(document: Document, within: etree._Element) -> tuple[str | None, ...]:
    return tuple(document.text(within, path) for path in _CODE)


def _details(document: Document, entry: _Entry) -> list[_Detail]:
    """Return an entry's transactions, which add up to it and to its batches; the entry itself where there are none."""
    groups = document.all(entry.element, "NtryDtls")
    elements = [element for group in groups for element in document.all(group, "TxDtls")]
    if not elements:
        return [_Detail(entry.element, entry.signed, entry.sign)]
    details = {element: _detail(document, entry, element, alone=len(elements) == 1) for element in elements}
    document.hold_sum(entry.element, "Amt", entry.sign * sum(detail.signed for detail in details.values()))
    for group in groups:
        _hold_batch(document, group, [details[element].signed for element in document.all(group, "TxDtls")])
    return list(details.values())


def _detail(document: Document, entry: _Entry, element: etree._Element, *, alone: bool) -> _Detail:
    direction = document.text(element, "CdtDbtInd")
    sign = _SIGNS[direction] if direction else entry.sign
    amount = document.find(element, "Amt")
    if amount is None:
        amount = document.find(element, "AmtDtls/TxAmt/Amt")
    if amount is not None:
        return _Detail(element, sign * document.amount(amount), sign)
    if alone:
        return _Detail(element, entry.signed, entry.sign)
    raise document.refusal(
        element, "amount_missing", "批量入账的一笔明细缺少金额", "one of several transactions in an entry has no amount"
    )


def _hold_batch(document: Document, group: etree._Element, signed: Sequence[int]) -> None:
    """Hold what a batch says of itself, where its transactions are listed."""
    total = document.find(group, "Btch/TtlAmt")
    if total is not None:
        document.amount(total)
    if signed:
        document.hold_count(group, "Btch/NbOfTxs", len(signed))
        document.hold_sum(group, "Btch/TtlAmt", abs(sum(signed)))


def _hold_summary(document: Document, notification: etree._Element, entries: Sequence[_Entry]) -> None:
    summary = document.find(notification, "TxsSummry")
    if summary is None:
        return
    found = _totals(entries)
    _hold_totals(document, document.find(summary, "TtlNtries"), found[None, None])
    _hold_totals(document, document.find(summary, "TtlCdtNtries"), found[None, CREDIT])
    _hold_totals(document, document.find(summary, "TtlDbtNtries"), found[None, DEBIT])
    for totals in document.all(summary, "TtlNtriesPerBkTxCd"):
        # Of a forecast, or of one day, the entries are not all that have the code.
        if document.text(totals, "FcstInd") not in _TRUE and document.find(totals, "Dt") is None:
            code = _code(document, totals)
            _hold_totals(document, totals, found[code, None])
            _hold_totals(document, document.find(totals, "CdtNtries"), found[code, CREDIT])
            _hold_totals(document, document.find(totals, "DbtNtries"), found[code, DEBIT])


def _totals(entries: Sequence[_Entry]) -> defaultdict[tuple[tuple[str | None, ...] | None, int | None], _Totals]:
    """Add entries up by bank transaction code and direction; None stands for all of them."""
    found: defaultdict[tuple[tuple[str | None, ...] | None, int | None], _Totals] = defaultdict(_Totals)
    for entry in entries:
        for key in product((None, entry.code), (None, entry.sign)):
            totals = found[key]
            totals.count += 1
            totals.moved += abs(entry.signed)
            totals.net += entry.signed
    return found


def _hold_totals(document: Document, said: etree._Element | None, found: _Totals) -> None:
    if said is None:
        return
    document.hold_count(said, "NbOfNtries", found.count)
    document.hold_sum(said, "Sum", found.moved)
    direction = document.text(said, "TtlNetNtry/CdtDbtInd")
    if direction is not None:
        document.hold_sum(said, "TtlNetNtry/Amt", _SIGNS[direction] * found.net)


def _report(document: Document, entry: _Entry, detail: _Detail) -> Report | None:
    """Return what a transaction reports on a payment, or None where it reports on none."""
    end_to_end_id = document.text(detail.element, "Refs/EndToEndId")
    outcome = _outcome(document, entry, detail)
    if outcome is None or end_to_end_id is None or end_to_end_id == NO_ID:
        return None
    return Report(
        end_to_end_id=end_to_end_id,
        instruction_id=document.text(detail.element, "Refs/InstrId"),
        outcome=outcome,
        amount=abs(detail.signed),
        bank_reference=document.text(detail.element, "Refs/AcctSvcrRef") or entry.reference,
        reason_code=document.text(detail.element, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry"),
        at=entry.at,
        line=document.line(detail.element),
    )


def _outcome(document: Document, entry: _Entry, detail: _Detail) -> Outcome | None:
    """Return what a transaction does to a payment; None for another movement.

    Money that leaves settles. Money that comes back returns, if the bank calls it a return or a reversal: other money
    that comes in is a top-up. A debit that is called a return sends back what we got, and is no payment.
    """
    back = entry.reversal or document.find(detail.element, "RtrInf") is not None
    if detail.sign == DEBIT:
        outcome: Outcome | None = None if back else "settled"
    else:
        codes = (*entry.code, *_code(document, detail.element))
        outcome = "returned" if back or RETURN in codes else None
    return "pending" if outcome and not entry.booked else outcome
