"""Files that a library which is not ours has written are read to the fen."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pyiso20022.camt.camt_054_001_08 import camt_054_001_08 as camt
from pyiso20022.pain.pain_002_001_10 import pain_002_001_10 as pain
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.models.datatype import XmlDateTime

from contracts.money import LARGEST_EXACT_INTEGER
from disbursement.iso20022.reading import read

NOON = XmlDateTime.from_string("2026-11-26T12:00:00+08:00")
MOVES = st.lists(
    st.tuples(
        st.text("ABCDEF0123456789", min_size=1, max_size=35), st.integers(0, LARGEST_EXACT_INTEGER), st.booleans()
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda move: move[0],
)


def written(document: Any) -> bytes:
    return XmlSerializer().render(document).encode()


def in_yuan(fen: int) -> Any:
    return camt.ActiveOrHistoricCurrencyAndAmount(value=Decimal(fen) / 100, ccy="CNY")


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_a_notification_from_another_library_is_read_to_the_fen(moves: list[tuple[str, int, bool]]) -> None:
    entries = [
        camt.ReportEntry10(
            amt=in_yuan(fen),
            cdt_dbt_ind=camt.CreditDebitCode.DBIT,
            sts=camt.EntryStatus1Choice(cd="BOOK" if booked else "PDNG"),
            bk_tx_cd=camt.BankTransactionCodeStructure4(prtry=camt.ProprietaryBankTransactionCodeStructure1(cd="PAY")),
            ntry_dtls=[camt.EntryDetails9(tx_dtls=[camt.EntryTransaction10(refs=references(end_to_end_id))])],
        )
        for end_to_end_id, fen, booked in moves
    ]
    account = camt.CashAccount39(id=camt.AccountIdentification4Choice(iban="CN0012345"), ccy="CNY")
    notification = camt.AccountNotification17(id="N", acct=account, ntry=entries)
    header = camt.GroupHeader81(msg_id="M", cre_dt_tm=NOON)
    whole = camt.BankToCustomerDebitCreditNotificationV08(grp_hdr=header, ntfctn=[notification])

    statement = read(written(camt.Document(bk_to_cstmr_dbt_cdt_ntfctn=whole)))

    outcome = {True: "settled", False: "pending"}
    assert [(each.end_to_end_id, each.amount, each.outcome) for each in statement.reports] == [
        (end_to_end_id, fen, outcome[booked]) for end_to_end_id, fen, booked in moves
    ]


def references(end_to_end_id: str) -> Any:
    return camt.TransactionReferences6(end_to_end_id=end_to_end_id)


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_a_status_report_from_another_library_is_read_to_the_fen(moves: list[tuple[str, int, bool]]) -> None:
    transactions = [
        pain.PaymentTransaction105(
            orgnl_end_to_end_id=end_to_end_id,
            tx_sts="ACSC" if done else "RJCT",
            orgnl_tx_ref=pain.OriginalTransactionReference28(
                amt=pain.AmountType4Choice(
                    instd_amt=pain.ActiveOrHistoricCurrencyAndAmount(value=Decimal(fen) / 100, ccy="CNY")
                )
            ),
        )
        for end_to_end_id, fen, done in moves
    ]
    group = pain.OriginalGroupHeader17(
        orgnl_msg_id="O",
        orgnl_msg_nm_id="pain.001.001.09",
        orgnl_nb_of_txs=str(len(moves)),
        orgnl_ctrl_sum=Decimal(sum(fen for _, fen, _ in moves)) / 100,
    )
    report = pain.CustomerPaymentStatusReportV10(
        grp_hdr=pain.GroupHeader86(msg_id="M", cre_dt_tm=NOON),
        orgnl_grp_inf_and_sts=group,
        orgnl_pmt_inf_and_sts=[pain.OriginalPaymentInstruction32(orgnl_pmt_inf_id="P", tx_inf_and_sts=transactions)],
    )

    statement = read(written(pain.Document(cstmr_pmt_sts_rpt=report)))

    outcome = {True: "settled", False: "returned"}
    assert [(each.end_to_end_id, each.amount, each.outcome) for each in statement.reports] == [
        (end_to_end_id, fen, outcome[done]) for end_to_end_id, fen, done in moves
    ]
