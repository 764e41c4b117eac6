"""Writes payment orders as pain.001.001.09, the customer credit transfer initiation of ISO 20022."""

from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from contracts.common import Account
from disbursement.iso20022 import schemas
from disbursement.iso20022.amounts import written
from disbursement.iso20022.checks import refuse_unwritable
from disbursement.iso20022.messages import Batch, Payment

VERSION: Final = "pain.001.001.09"
NAMESPACE: Final = f"urn:iso:std:iso:20022:tech:xsd:{VERSION}"
E: Final = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


def write(batch: Batch) -> bytes:
    """Return the batch as a file, valid against the official schema. The same batch gives the same bytes.

    Pools come in the order of their names, each as one PmtInf whose id is the pool's name; payments as they were given.
    Raises Refusal, whose pointer names the field, for what the format can't say.
    """
    refuse_unwritable(batch)
    by_pool = groupby(sorted(batch.payments, key=_pool), key=_pool)
    root = E.Document(
        E.CstmrCdtTrfInitn(
            E.GrpHdr(
                E.MsgId(batch.message_id),
                E.CreDtTm(_instant(batch.created_at)),
                *_totals(batch.payments),
                E.InitgPty(E.Nm(batch.initiating_party)),
            ),
            *(_pool_information(batch, pool, list(payments)) for pool, payments in by_pool),
        )
    )
    error = schemas.first_error(root.getroottree(), VERSION)
    assert error is None, f"what is written is valid: {error}"
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _pool_information(batch: Batch, pool: str, payments: list[Payment]) -> etree._Element:
    debtor = batch.debtors[pool]
    return E.PmtInf(
        E.PmtInfId(pool),
        E.PmtMtd("TRF"),
        *_totals(payments),
        E.ReqdExctnDt(E.Dt(batch.requested_on.isoformat())),
        E.Dbtr(E.Nm(debtor.name)),
        E.DbtrAcct(_account(debtor)),
        E.DbtrAgt(_bank(debtor)),
        E.ChrgBr("DEBT"),  # the creditor gets the whole amount: a charge must not make a subsidy smaller
        *map(_transfer, payments),
    )


def _transfer(payment: Payment) -> etree._Element:
    return E.CdtTrfTxInf(
        E.PmtId(E.InstrId(payment.instruction_id), E.EndToEndId(payment.end_to_end_id)),
        E.Amt(E.InstdAmt(written(payment.amount), Ccy="CNY")),
        E.CdtrAgt(_bank(payment.creditor)),
        E.Cdtr(E.Nm(payment.creditor.name)),
        E.CdtrAcct(_account(payment.creditor)),
        E.RmtInf(E.Ustrd(payment.purpose)),
    )


def _totals(payments: list[Payment] | tuple[Payment, ...]) -> tuple[etree._Element, etree._Element]:
    total = sum(payment.amount for payment in payments)
    return E.NbOfTxs(str(len(payments))), E.CtrlSum(written(total))


def _account(account: Account) -> etree._Element:
    """China has no IBAN: the account's own number."""
    return E.Id(E.Othr(E.Id(account.account)))


def _bank(account: Account) -> etree._Element:
    """The bank by its number in CNAPS, as the external code list of clearing systems calls it."""
    return E.FinInstnId(E.ClrSysMmbId(E.ClrSysId(E.Cd("CNAPS")), E.MmbId(account.bank_code)))


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pool(payment: Payment) -> str:
    return payment.pool
