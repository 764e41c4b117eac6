"""Files as a bank would send them: status reports (pain.002) and what it booked (camt.054). Amounts in fen."""

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.events import PaymentInstructed

AT = "2026-11-26T10:00:00+08:00"


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def status_report(
    message_id: str,
    original: str,
    statuses: Iterable[tuple[PaymentInstructed, str]] = (),
    *,
    rejected: bool = False,
    rejected_pools: Iterable[str] = (),
) -> str:
    """Return a pain.002 on our message: each payment's status, and whether the whole or some pools are rejected."""
    listed = "".join(
        f"""
      <TxInfAndSts>
        <OrgnlEndToEndId>{payment.end_to_end_id}</OrgnlEndToEndId>
        <TxSts>{status}</TxSts>
        <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>
        <OrgnlTxRef><Amt><InstdAmt Ccy="CNY">{yuan(payment.money.amount)}</InstdAmt></Amt></OrgnlTxRef>
      </TxInfAndSts>"""
        for payment, status in statuses
    )
    pools = "".join(
        f"""
    <OrgnlPmtInfAndSts><OrgnlPmtInfId>{pool}</OrgnlPmtInfId><PmtInfSts>RJCT</PmtInfSts></OrgnlPmtInfAndSts>"""
        for pool in rejected_pools
    )
    within = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>p</OrgnlPmtInfId>{listed}\n    </OrgnlPmtInfAndSts>" if listed else ""
    group = "<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>AM10</Cd></Rsn></StsRsnInf>" if rejected else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">
  <CstmrPmtStsRpt>
    <GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{AT}</CreDtTm></GrpHdr>
    <OrgnlGrpInfAndSts>
      <OrgnlMsgId>{original}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}
    </OrgnlGrpInfAndSts>{pools}
    {within}
  </CstmrPmtStsRpt>
</Document>
"""


def notification(message_id: str, *entries: Mapping[str, Any]) -> str:
    """Return a camt.054 with these entries (``debit``, ``credit``); its summary states what they add up to."""
    total = yuan(sum(entry["fen"] for entry in entries))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">
  <BkToCstmrDbtCdtNtfctn>
    <GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{AT}</CreDtTm></GrpHdr>
    <Ntfctn>
      <Id>{message_id}</Id>
      <Acct><Id><Othr><Id>44201501100050000001</Id></Othr></Id><Ccy>CNY</Ccy></Acct>
      <TxsSummry><TtlNtries><NbOfNtries>{len(entries)}</NbOfNtries><Sum>{total}</Sum></TtlNtries></TxsSummry>
{"".join(entry["xml"] for entry in entries)}
    </Ntfctn>
  </BkToCstmrDbtCdtNtfctn>
</Document>
"""


def debit(
    end_to_end_id: str, fen: int, *, status: str = "BOOK", reference: str = "B1", instruction: str | None = None
) -> dict[str, Any]:
    """Money that left: a payment that was made."""
    handed_back = f"<InstrId>{instruction}</InstrId>" if instruction else ""
    return {"fen": fen, "xml": _entry("DBIT", "DMCT", end_to_end_id, fen, status, reference, handed_back)}


def credit(end_to_end_id: str, fen: int, *, code: str = "RRTN", reference: str = "B2") -> dict[str, Any]:
    """Money that came in: a return, unless it has another code."""
    return {"fen": fen, "xml": _entry("CRDT", code, end_to_end_id, fen, "BOOK", reference, "")}


def _entry(
    direction: str, code: str, end_to_end_id: str, fen: int, status: str, reference: str, handed_back: str
) -> str:
    return f"""
      <Ntry>
        <Amt Ccy="CNY">{yuan(fen)}</Amt>
        <CdtDbtInd>{direction}</CdtDbtInd>
        <Sts><Cd>{status}</Cd></Sts>
        <BookgDt><DtTm>{AT}</DtTm></BookgDt>
        <AcctSvcrRef>{reference}</AcctSvcrRef>
        <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>{code}</SubFmlyCd></Fmly></Domn></BkTxCd>
        <NtryDtls><TxDtls><Refs>{handed_back}<EndToEndId>{end_to_end_id}</EndToEndId></Refs></TxDtls></NtryDtls>
      </Ntry>"""
