"""What a bank sends: read to the fen, or refused whole with the line that is wrong."""

import re
from datetime import UTC, datetime
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pyiso20022.camt.camt_054_001_08.camt_054_001_08 import Document as Camt054
from pyiso20022.pain.pain_002_001_10.pain_002_001_10 import Document as Pain002
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.handlers import XmlEventHandler

from disbursement.iso20022 import opening
from disbursement.iso20022.messages import Rejection, Report, Statement
from disbursement.iso20022.reading import read
from disbursement.iso20022.refusals import FileRefusedError

SAMPLES = Path(__file__).parent / "samples"
STATUS = (SAMPLES / "status.xml").read_text(encoding="utf-8")
REJECTED = (SAMPLES / "rejected.xml").read_text(encoding="utf-8")
BOOKED = (SAMPLES / "booked.xml").read_text(encoding="utf-8")
ALL = {"status": STATUS, "rejected": REJECTED, "booked": BOOKED}
POOL = "<OrgnlPmtInfId>ai-robotics-fund</OrgnlPmtInfId>"
PER_CODE = BOOKED[BOOKED.index("        <TtlNtriesPerBkTxCd>") : BOOKED.index("      </TxsSummry>")]
GENERATIONS = ("pain.002.001.03", "pain.002.001.10", "pain.002.001.12")


def read_text(content: str) -> Statement:
    return read(content.encode())


def before(content: str, marker: str, nth: int = 1) -> str:
    """Return what stands before the n-th ``marker``."""
    parts = content.split(marker)
    assert len(parts) > nth, f"there are {len(parts) - 1} of {marker}"
    return marker.join(parts[:nth])


def edited(content: str, old: str, new: str, nth: int = 1) -> str:
    """Return the content with its n-th ``old`` made ``new``."""
    start = before(content, old, nth)
    return start + new + content[len(start) + len(old) :]


def line_of(content: str, marker: str, nth: int = 1) -> int:
    return before(content, marker, nth).count("\n") + 1


def refusal(content: str | bytes) -> tuple[int, str]:
    """Return the line and the code with which a file is refused; both languages have words for it."""
    with pytest.raises(FileRefusedError) as refused:
        read(content.encode() if isinstance(content, str) else content)
    assert refused.value.text.zh
    assert refused.value.text.en
    return refused.value.line, refused.value.code


def outcomes(statement: Statement) -> list[tuple[str, str]]:
    return [(report.end_to_end_id, report.outcome) for report in statement.reports]


# The samples themselves


def test_another_library_reads_the_same_amounts_from_the_samples() -> None:
    parser = XmlParser(handler=XmlEventHandler)
    status: Any = parser.from_string(STATUS, Pain002).cstmr_pmt_sts_rpt
    booked: Any = parser.from_string(BOOKED, Camt054).bk_to_cstmr_dbt_cdt_ntfctn

    assert [
        (one.orgnl_end_to_end_id, int(one.orgnl_tx_ref.amt.instd_amt.value * 100))
        for pool in status.orgnl_pmt_inf_and_sts
        for one in pool.tx_inf_and_sts
    ] == [(report.end_to_end_id, report.amount) for report in read_text(STATUS).reports]
    debits = [int(entry.amt.value * 100) for entry in booked.ntfctn[0].ntry if entry.sts.cd == "BOOK"][:2]
    settled = [report.amount or 0 for report in read_text(BOOKED).reports if report.outcome == "settled"]
    assert sum(settled) == sum(debits)


def test_the_schemas_are_the_published_ones() -> None:
    directory = resources.files("disbursement.iso20022.schemas")
    readme = directory.joinpath("README.md").read_text(encoding="utf-8")

    recorded = dict(re.findall(r"\| `(\S+\.xsd)` \|.*`([0-9a-f]{64})`", readme))
    found = {
        file.name: sha256(file.read_bytes()).hexdigest() for file in directory.iterdir() if file.name.endswith(".xsd")
    }
    assert found == recorded
    assert {f"{version}.xsd" for version in (*opening.VERSIONS, "pain.001.001.09")} == set(found)


# pain.002


def test_a_status_report_says_what_became_of_each_payment() -> None:
    at = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)

    def report(end_to_end_id: str, outcome: Any, amount: int, reference: str, reason: str | None = None) -> Report:
        return Report(
            end_to_end_id=end_to_end_id,
            instruction_id="I1" if end_to_end_id == "DD1" else None,
            outcome=outcome,
            amount=amount,
            bank_reference=reference,
            reason_code=reason,
            at=at,
            line=line_of(STATUS, "<TxInfAndSts>", int(end_to_end_id.removeprefix("DD"))),
        )

    assert read_text(STATUS) == Statement(
        kind="pain.002",
        message_id="BANK-S-0001",
        created_at=at,
        original_message_id="DD20261125-0001",
        group_status="PART",
        reports=(
            report("DD1", "settled", 1_200_000, "B0001"),
            report("DD2", "returned", 800_000, "S2", "AC04"),
            report("DD3", "settled", 5, "BANK-S-0001"),
            report("DD4", "pending", 10_000, "BANK-S-0001"),
        ),
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("ACSC", "settled"), ("ACCC", "settled"), ("RJCT", "returned")]
    + [(status, "pending") for status in ("ACTC", "ACCP", "ACSP", "PDNG", "RCVD", "ACWC", "ACWP", "ACFC")],
)
def test_each_status_has_one_outcome(status: str, outcome: str) -> None:
    content = edited(STATUS, "<TxSts>ACSP<", f"<TxSts>{status}<")

    assert outcomes(read_text(content))[3] == ("DD4", outcome)


def test_an_unknown_status_is_not_guessed() -> None:
    content = edited(STATUS, "<TxSts>ACSP<", "<TxSts>CANC<")

    assert refusal(content) == (line_of(STATUS, "<TxInfAndSts>", 4), "unknown_status")


@pytest.mark.parametrize("version", GENERATIONS)
def test_three_generations_of_the_status_report_say_the_same(version: str) -> None:
    assert read_text(STATUS.replace("pain.002.001.10", version)) == read_text(STATUS)


def test_a_rejected_message_returns_all_that_was_in_it() -> None:
    statement = read_text(REJECTED)

    assert statement.reports == ()
    assert statement.rejections == (
        Rejection(
            original_message_id="DD20261125-0001",
            pool=None,
            reason_code="AM10",
            at=datetime(2026, 11, 25, 1, 31, tzinfo=UTC),  # 09:31 in Beijing, which the file leaves out
            line=line_of(REJECTED, "<OrgnlGrpInfAndSts>"),
        ),
    )


def test_a_rejected_pool_returns_all_that_was_in_it_and_those_that_it_lists() -> None:
    rejected = "<PmtInfSts>RJCT</PmtInfSts><StsRsnInf><Rsn><Prtry>X9</Prtry></Rsn></StsRsnInf>"
    content = edited(STATUS, POOL, POOL + rejected)

    statement = read_text(edited(content, "        <TxSts>ACSP</TxSts>\n", ""))

    assert [(one.pool, one.reason_code) for one in statement.rejections] == [("ai-robotics-fund", "X9")]
    last = statement.reports[3]
    assert (last.end_to_end_id, last.outcome, last.reason_code) == ("DD4", "returned", "X9")


@pytest.mark.parametrize("status", ["ACSC", "ACCC", "ACCP", "ACTC", "PDNG", "RCVD"])
def test_only_a_rejection_is_applied_to_payments_that_are_not_named(status: str) -> None:
    statement = read_text(edited(REJECTED, "RJCT", status))

    assert (statement.reports, statement.rejections, statement.group_status) == ((), (), status)


def test_a_status_that_is_left_out_is_not_guessed() -> None:
    content = edited(STATUS, "        <TxSts>ACSP</TxSts>\n", "")

    assert refusal(content) == (line_of(STATUS, "<TxInfAndSts>", 4), "unknown_status")


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        # The whole is rejected and a part of it is settled, or the other way round.
        ("<GrpSts>PART<", "<GrpSts>RJCT<", ("<TxInfAndSts>", 1), "contradiction"),
        ("<GrpSts>PART<", "<GrpSts>ACSC<", ("<TxInfAndSts>", 2), "contradiction"),
        ("<OrgnlEndToEndId>DD4<", "<OrgnlEndToEndId>DD1<", ("<TxInfAndSts>", 4), "twice"),
        ("        <OrgnlEndToEndId>DD4</OrgnlEndToEndId>\n", "", ("<TxInfAndSts>", 4), "end_to_end_id_missing"),
        (">pain.001.001.09<", ">pain.008.001.08<", ("<OrgnlMsgNmId>", 1), "other_orders"),
        ("<OrgnlNbOfTxs>4<", "<OrgnlNbOfTxs>3<", ("<OrgnlNbOfTxs>", 1), "count"),
        ("<OrgnlNbOfTxs>3<", "<OrgnlNbOfTxs>2<", ("<OrgnlNbOfTxs>", 2), "count"),
        ("<OrgnlNbOfTxs>3<", "<OrgnlNbOfTxs>9<", ("<OrgnlNbOfTxs>", 2), "count"),
        ("<DtldNbOfTxs>2<", "<DtldNbOfTxs>1<", ("<DtldNbOfTxs>", 1), "count"),
        ("<DtldCtrlSum>12000.05<", "<DtldCtrlSum>12000.06<", ("<DtldCtrlSum>", 1), "sum"),
        ("<OrgnlCtrlSum>20100.05<", "<OrgnlCtrlSum>20100.051<", ("<OrgnlCtrlSum>", 1), "sum"),
        ('"CNY">8000.00<', '"USD">8000.00<', ("<InstdAmt", 2), "currency"),
        (">8000.00<", ">8000.001<", ("<InstdAmt", 2), "fraction"),
        (">8000.00<", ">8000.000<", ("<InstdAmt", 2), "fraction"),
        (">8000.00<", ">90071992547409.92<", ("<InstdAmt", 2), "too_much"),
        ("2026-11-26T09:30:00", "2026-11-26T24:00:00", ("<CreDtTm>", 1), "time"),
        ("<TxSts>RJCT<", "<TxSts>REJECTED<", ("<TxSts>", 2), "invalid"),
        (">8000.00<", ">eight thousand<", ("<InstdAmt", 2), "invalid"),
        ("<MsgId>BANK-S-0001<", "<MsgId><", ("<MsgId>", 1), "invalid"),
        (' Ccy="CNY">0.05', ">0.05", ("<InstdAmt", 3), "invalid"),
    ],
)
def test_a_status_report_is_refused_whole_where_it_is_wrong(
    old: str, new: str, line: tuple[str, int], code: str
) -> None:
    assert refusal(edited(STATUS, old, new)) == (line_of(STATUS, *line), code)


def test_a_pool_that_is_settled_in_a_rejected_message_is_a_contradiction() -> None:
    pool = "\n<OrgnlPmtInfAndSts><OrgnlPmtInfId>p</OrgnlPmtInfId><PmtInfSts>ACSC</PmtInfSts></OrgnlPmtInfAndSts>"
    content = edited(REJECTED, "</OrgnlGrpInfAndSts>", f"</OrgnlGrpInfAndSts>{pool}")

    assert refusal(content) == (line_of(content, "<OrgnlPmtInfAndSts>"), "contradiction")


def test_a_bank_may_count_all_payments_and_list_only_those_that_it_rejects() -> None:
    content = edited(STATUS, "<OrgnlNbOfTxs>4<", "<OrgnlNbOfTxs>400<")
    for settled in ("DD1", "DD3"):
        (one,) = (
            part for part in re.findall(r" *<TxInfAndSts>.*?</TxInfAndSts>\n", content, re.DOTALL) if settled in part
        )
        content = content.replace(one, "")

    assert outcomes(read_text(content)) == [("DD2", "returned"), ("DD4", "pending")]


# camt.054


def test_a_notification_says_what_was_booked() -> None:
    day = datetime(2026, 11, 25, 16, 0, tzinfo=UTC)  # the 26th begins in Beijing

    def report(nth: int, outcome: Any, amount: int, reference: str, at: datetime, reason: str | None = None) -> Report:
        return Report(
            end_to_end_id=f"DD{nth}",
            outcome=outcome,
            amount=amount,
            bank_reference=reference,
            reason_code=reason,
            at=at,
            line=line_of(BOOKED, "<TxDtls>", nth),
        )

    assert read_text(BOOKED) == Statement(
        kind="camt.054",
        message_id="BANK-N-0001",
        created_at=datetime(2026, 11, 26, 10, 0, tzinfo=UTC),
        reports=(
            report(1, "settled", 1_200_000, "B0001", datetime(2026, 11, 26, 2, 15, tzinfo=UTC)),
            report(2, "settled", 6_000_000, "B0002-1", day),
            report(3, "settled", 4_000_004, "B0002-2", day),
            report(4, "settled", 1, "B0002", day),
            report(5, "returned", 800_000, "B0003", day, "AC04"),
            report(6, "pending", 800_000, "4", datetime(2026, 11, 26, 10, 0, tzinfo=UTC)),
        ),
        passed_over=(line_of(BOOKED, "<Ntry>", 5), line_of(BOOKED, "<TxDtls>", 7)),
    )


RETURN_INFORMATION = BOOKED[BOOKED.index("            <RtrInf>") : BOOKED.index("</RtrInf>") + len("</RtrInf>\n")]
REVERSAL = "<CdtDbtInd>CRDT</CdtDbtInd>\n        <RvslInd>true</RvslInd>"


def test_money_that_comes_back_is_a_return_by_its_code_alone() -> None:
    last = read_text(edited(BOOKED, RETURN_INFORMATION, "")).reports[4]

    assert (last.end_to_end_id, last.outcome, last.reason_code) == ("DD5", "returned", None)


def test_a_reversal_of_a_debit_is_a_return() -> None:
    content = edited(edited(BOOKED, RETURN_INFORMATION, ""), "RRTN", "DMCT").replace(PER_CODE, "")

    assert ("DD5", "returned") in outcomes(read_text(edited(content, "<CdtDbtInd>CRDT</CdtDbtInd>", REVERSAL, 2)))


def test_money_that_comes_in_otherwise_is_no_return() -> None:
    content = edited(edited(BOOKED, RETURN_INFORMATION, ""), "RRTN", "DMCT").replace(PER_CODE, "")

    statement = read_text(content)

    assert "DD5" not in dict(outcomes(statement))
    assert line_of(content, "<TxDtls>", 5) in statement.passed_over


def test_a_debit_that_reverses_a_credit_is_no_payment() -> None:
    content = edited(BOOKED, "<CdtDbtInd>DBIT</CdtDbtInd>", "<CdtDbtInd>DBIT</CdtDbtInd>\n        <RvslInd>1</RvslInd>")

    assert "DD1" not in dict(outcomes(read_text(content)))


@pytest.mark.parametrize(("status", "outcome"), [("PDNG", "pending"), ("FUTR", "pending"), ("INFO", "pending")])
def test_what_is_not_booked_is_pending(status: str, outcome: str) -> None:
    assert outcomes(read_text(edited(BOOKED, "<Cd>BOOK<", f"<Cd>{status}<")))[0] == ("DD1", outcome)


def test_a_return_that_is_not_booked_is_pending() -> None:
    assert outcomes(read_text(edited(BOOKED, "<Cd>BOOK<", "<Cd>PDNG<", 3)))[4] == ("DD5", "pending")


def test_a_transaction_without_an_id_is_passed_over() -> None:
    statement = read_text(edited(BOOKED, "<EndToEndId>DD1<", "<EndToEndId>NOTPROVIDED<"))

    assert "DD1" not in dict(outcomes(statement))
    assert line_of(BOOKED, "<TxDtls>") in statement.passed_over


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("<NbOfNtries>6<", "<NbOfNtries>7<", ("<NbOfNtries>", 1), "count"),
        ("<NbOfNtries>2<", "<NbOfNtries>3<", ("<NbOfNtries>", 2), "count"),
        ("<NbOfNtries>4<", "<NbOfNtries>3<", ("<NbOfNtries>", 3), "count"),
        ("<NbOfNtries>3<", "<NbOfNtries>4<", ("<NbOfNtries>", 4), "count"),
        ("<Sum>5128050.05<", "<Sum>5128050.06<", ("<Sum>", 1), "sum"),
        ("<Sum>5008000<", "<Sum>5008000.001<", ("<Sum>", 2), "sum"),
        ("<Sum>120050.05<", "<Sum>-120050.05<", ("<Sum>", 3), "sum"),
        ("<Sum>120000.05<", "<Sum>120000.04<", ("<Sum>", 4), "sum"),
        ("<Amt>4887949.95<", "<Amt>4887949.94<", ("<Amt>4887949.95", 1), "sum"),
        ("<CdtDbtInd>CRDT<", "<CdtDbtInd>DBIT<", ("<Amt>4887949.95", 1), "sum"),
        (">40000.04<", ">40000.03<", (">100000.05<", 1), "sum"),
        ('<TtlAmt Ccy="CNY">100000.05', '<TtlAmt Ccy="CNY">100000.04', ("<TtlAmt", 1), "sum"),
        ('<TtlAmt Ccy="CNY"', '<TtlAmt Ccy="HKD"', ("<TtlAmt", 1), "currency"),
        ("<NbOfTxs>3<", "<NbOfTxs>2<", ("<NbOfTxs>", 1), "count"),
        ('            <Amt Ccy="CNY">60000.00</Amt>\n', "", ("<TxDtls>", 2), "amount_missing"),
        ('<Amt Ccy="CNY">12000.00', '<Amt Ccy="USD">12000.00', ('<Amt Ccy="CNY">12000.00', 1), "currency"),
        ('<Amt Ccy="CNY">60000.00', '<Amt Ccy="HKD">60000.00', ('<Amt Ccy="CNY">60000.00', 1), "currency"),
        ("<Ccy>CNY<", "<Ccy>USD<", ("<Ccy>", 1), "currency"),
        ('<Amt Ccy="CNY">0.01<', '<Amt Ccy="CNY">0.011<', ('<Amt Ccy="CNY">0.01<', 1), "fraction"),
        ("<Cd>PDNG</Cd>", "<Cd>WHAT</Cd>", ("<Sts>", 4), "unknown_status"),
        ("<Cd>PDNG</Cd>", "<Prtry>BOOK!</Prtry>", ("<Sts>", 4), "unknown_status"),
        ("<Dt>2026-11-26<", "<Dt>2026-11-31<", ("<Dt>", 1), "invalid"),
        ("<CdtDbtInd>DBIT<", "<CdtDbtInd>DEBIT<", ("<CdtDbtInd>DBIT<", 1), "invalid"),
    ],
)
def test_a_notification_is_refused_whole_where_it_is_wrong(
    old: str, new: str, line: tuple[str, int], code: str
) -> None:
    assert refusal(edited(BOOKED, old, new)) == (line_of(BOOKED, *line), code)


def test_the_instruction_is_handed_back_where_the_bank_does_so() -> None:
    content = edited(BOOKED, "<EndToEndId>DD1<", "<InstrId>I1</InstrId><EndToEndId>DD1<")

    assert [report.instruction_id for report in read_text(content).reports[:2]] == ["I1", None]


# Files that are no files


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_was_cut_is_refused_at_its_last_line(name: str) -> None:
    content = ALL[name].rstrip().encode()

    for cut in range(1, len(content), max(1, len(content) // 97)):
        half = content[:cut]
        line, code = refusal(half)
        assert (line, code) == (half.count(b"\n") + 1, "malformed"), half[-40:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   ",
        b"Receipt 2026-11-26",
        b"{}",
        b"PK\x03\x04",
        b"\x00",
        BOOKED.encode("utf-16"),
        STATUS.encode("gb18030"),
    ],
)
def test_what_is_no_xml_in_utf8_is_refused(content: bytes) -> None:
    assert refusal(content)[1] == "malformed"


def test_a_broken_tag_is_refused_on_its_line() -> None:
    content = edited(BOOKED, "<NtryRef>2</NtryRef>", "<NtryRef>2</NtryRff>")

    assert refusal(content) == (line_of(content, "</NtryRff>"), "malformed")


@pytest.mark.parametrize(
    "namespace",
    [
        "urn:iso:std:iso:20022:tech:xsd:camt.054.001.02",
        "urn:iso:std:iso:20022:tech:xsd:camt.054.001.99",
        "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08",
        "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09",
        "urn:example",
        "camt.054.001.08",
        "",
    ],
)
def test_an_unknown_type_or_version_is_refused_on_the_line_of_its_root(namespace: str) -> None:
    content = BOOKED.replace("urn:iso:std:iso:20022:tech:xsd:camt.054.001.08", namespace)

    assert refusal(content) == (2, "unknown_version")


def test_a_known_namespace_with_another_root_is_refused() -> None:
    assert refusal(BOOKED.replace("Document", "Envelope")) == (2, "unknown_version")


@pytest.mark.parametrize(
    "attack",
    [
        '<!DOCTYPE Document [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/evil.dtd">',
        '<!DOCTYPE Document [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE Document [<!ENTITY % p SYSTEM "file:///dev/zero"> %p;]>',
    ],
)
def test_a_dtd_is_refused_on_its_line_before_it_is_parsed(attack: str) -> None:
    content = edited(BOOKED, "<Document", f"\n{attack}\n<Document").replace("N-0001</Id>", "&e;&b;</Id>")

    assert refusal(content) == (3, "doctype")


def test_an_entity_without_a_dtd_is_refused_on_its_line() -> None:
    content = edited(BOOKED, "<Id>N-0001</Id>", "<Id>&secret;</Id>")

    assert refusal(content) == (line_of(content, "&secret;"), "malformed")


def test_a_comment_does_not_cut_what_it_stands_in() -> None:
    content = edited(BOOKED, "<EndToEndId>DD1<", "<EndToEndId>DD<!-- 9 -->1<")

    assert read_text(content).reports == read_text(BOOKED).reports


def test_a_schema_that_a_file_brings_along_is_not_looked_at(tmp_path: Path) -> None:
    own = tmp_path / "own.xsd"
    own.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:own">'
        '<xs:element name="number" type="xs:integer"/></xs:schema>',
        encoding="utf-8",
    )
    extra = (
        '<SplmtryData><Envlp><number xmlns="urn:own" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="urn:own {own}">no number</number></Envlp></SplmtryData>'
    )

    statement = read_text(edited(BOOKED, "  </BkToCstmrDbtCdtNtfctn>", f"{extra}</BkToCstmrDbtCdtNtfctn>"))

    assert statement == read_text(BOOKED)


@pytest.mark.parametrize(
    "content",
    [
        b"<" * (opening.MAX_MARKS + 1),
        b"=" * (opening.MAX_MARKS + 1),
        b" " * (opening.MAX_BYTES + 1),
    ],
    ids=["tags", "attributes", "bytes"],
)
def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(content: bytes) -> None:
    assert refusal(content) == (1, "too_large")


def test_a_file_that_is_too_deep_is_refused() -> None:
    assert refusal(edited(BOOKED, "<Id>N-0001</Id>", "<Id>" * 300 + "</Id>" * 300)) == (9, "malformed")


def padded(content: str) -> str:
    """Return the content with more lines before its entries than libxml2 counts."""
    return edited(
        content, "      <Ntry>", "<!--" + "\n" * 70_000 + "<TxDtls> in a comment counts for none -->\n      <Ntry>"
    )


def test_lines_are_right_where_the_parser_no_longer_counts_them() -> None:
    far = padded(BOOKED)

    reports = read_text(far).reports

    assert [report.line for report in reports] == [line_of(far, "<TxDtls>\n", nth) for nth in range(1, 7)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (">40000.04<", ">40000.033<", "fraction"),
        (">40000.04<", ">x<", "invalid"),
        ("</TxAmt>", "</TxAmT>", "malformed"),
    ],
)
def test_what_is_wrong_far_down_is_named_by_its_line(old: str, new: str, code: str) -> None:
    content = edited(padded(BOOKED), old, new)

    assert refusal(content) == (line_of(content, new), code)
