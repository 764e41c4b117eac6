"""Orders as a file: valid, exact to the fen, the same bytes each time, and read alike by a library that is not ours.

pyiso20022 has classes for each message, made from its own copy of the schemas. xsdata fills them, here with the parser
of the standard library, so nothing of what wrote the file reads it.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from importlib import resources
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pyiso20022.pain.pain_001_001_09.pain_001_001_09 import Document
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.handlers import XmlEventHandler

from contracts.common import Account
from contracts.refusal import Refusal
from disbursement.iso20022 import pain001
from disbursement.iso20022.messages import Batch, Payment

TREASURY = Account("深圳市财政局", "44201501100050000001", "105584000021")
FUND = Account("深圳市人工智能基金", "44201501100050000002", "105584000021")
COMPANY = Account("深圳市智算科技有限公司", "4000023009200123456", "102584002451")
ORDER = Payment(
    pool="ai-package-2025",
    end_to_end_id="DD01a204085fa57442b3c5d03ff5eb2e7b",
    instruction_id="DD01a204085fa57442b3c5d03ff5eb2e7b",
    amount=1_200_005,
    creditor=COMPANY,
    purpose="算力券 compute-voucher 2026",
)
BATCH = Batch(
    message_id="DD20261125-0001",
    created_at=datetime(2026, 11, 25, 9, 0, tzinfo=timezone(timedelta(hours=8))),
    requested_on=date(2026, 11, 26),
    initiating_party="深圳市财政局",
    debtors={"ai-package-2025": TREASURY, "ai-robotics-fund": FUND},
    payments=(ORDER,),
)


def changed(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)


def read_independently(content: bytes) -> Any:
    return XmlParser(handler=XmlEventHandler).from_bytes(content, Document).cstmr_cdt_trf_initn


def official_schema() -> etree.XMLSchema:
    path = resources.files("disbursement.iso20022.schemas").joinpath("pain.001.001.09.xsd")
    return etree.XMLSchema(etree.fromstring(path.read_bytes()))


SCHEMA = official_schema()


def in_fen(amount: Any) -> int:
    fen = amount * 100
    assert fen == int(fen)
    return int(fen)


def test_a_batch_is_valid_against_the_official_schema() -> None:
    SCHEMA.assertValid(etree.fromstring(pain001.write(BATCH)))


def test_a_payment_is_written_with_everything_that_the_bank_needs() -> None:
    message = read_independently(pain001.write(BATCH))

    (pool,) = message.pmt_inf
    (order,) = pool.cdt_trf_tx_inf
    assert message.grp_hdr.msg_id == "DD20261125-0001"
    assert message.grp_hdr.cre_dt_tm.to_datetime() == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert message.grp_hdr.initg_pty.nm == "深圳市财政局"
    assert (pool.pmt_inf_id, pool.dbtr.nm, pool.dbtr_acct.id.othr.id) == (
        "ai-package-2025",
        "深圳市财政局",
        "44201501100050000001",
    )
    assert pool.reqd_exctn_dt.dt.to_date() == date(2026, 11, 26)
    assert order.pmt_id.end_to_end_id == order.pmt_id.instr_id == "DD01a204085fa57442b3c5d03ff5eb2e7b"
    assert (str(order.amt.instd_amt.value), order.amt.instd_amt.ccy) == ("12000.05", "CNY")
    assert (order.cdtr.nm, order.cdtr_acct.id.othr.id) == ("深圳市智算科技有限公司", "4000023009200123456")
    bank = order.cdtr_agt.fin_instn_id.clr_sys_mmb_id
    assert (bank.clr_sys_id.cd, bank.mmb_id) == ("CNAPS", "102584002451")
    assert order.rmt_inf.ustrd == ["算力券 compute-voucher 2026"]


def test_each_pool_has_its_own_numbers_and_the_header_has_all() -> None:
    orders = tuple(
        changed(ORDER, end_to_end_id=f"DD{place}", pool=pool, amount=amount)
        for place, (pool, amount) in enumerate(
            [("ai-robotics-fund", 1), ("ai-package-2025", 10), ("ai-robotics-fund", 99)]
        )
    )

    message = read_independently(pain001.write(changed(BATCH, payments=orders)))

    assert (message.grp_hdr.nb_of_txs, str(message.grp_hdr.ctrl_sum)) == ("3", "1.10")
    assert [(pool.pmt_inf_id, pool.nb_of_txs, str(pool.ctrl_sum)) for pool in message.pmt_inf] == [
        ("ai-package-2025", "1", "0.10"),
        ("ai-robotics-fund", "2", "1.00"),
    ]


def test_the_same_batch_gives_the_same_bytes() -> None:
    turned = changed(BATCH, debtors=dict(reversed(BATCH.debtors.items())), created_at=BATCH.created_at.astimezone(UTC))

    assert sha256(pain001.write(BATCH)).digest() == sha256(pain001.write(turned)).digest()


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1).filter(
    lambda text: bool(text.strip())
)
ACCOUNTS = st.builds(
    Account,
    name=TEXT.map(lambda text: text[:140]).filter(str.strip),
    account=st.text("0123456789-", min_size=1, max_size=34),
    bank_code=st.text("0123456789", min_size=12, max_size=12),
)
ORDERS = st.builds(
    Payment,
    pool=st.sampled_from(["ai-package-2025", "ai-robotics-fund"]),
    end_to_end_id=st.text("ABCDEF0123456789", min_size=1, max_size=35),
    instruction_id=st.text("ABCDEF0123456789", min_size=1, max_size=35),
    amount=st.integers(1, 10**12) | st.integers(1, 10**16),
    creditor=ACCOUNTS,
    purpose=TEXT.map(lambda text: text[:140]).filter(str.strip),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ORDERS, min_size=1, max_size=6, unique_by=lambda order: order.end_to_end_id))
def test_any_batch_is_valid_and_read_back_by_another_library_to_the_fen(orders: list[Payment]) -> None:
    content = pain001.write(changed(BATCH, payments=tuple(orders)))

    SCHEMA.assertValid(etree.fromstring(content))
    message = read_independently(content)
    found = {
        (pool.pmt_inf_id, order.pmt_id.end_to_end_id, in_fen(order.amt.instd_amt.value))
        for pool in message.pmt_inf
        for order in pool.cdt_trf_tx_inf
    }
    assert found == {(order.pool, order.end_to_end_id, order.amount) for order in orders}
    assert in_fen(message.grp_hdr.ctrl_sum) == sum(order.amount for order in orders)
    assert sum(in_fen(pool.ctrl_sum) for pool in message.pmt_inf) == sum(order.amount for order in orders)
    assert int(message.grp_hdr.nb_of_txs) == sum(int(pool.nb_of_txs) for pool in message.pmt_inf) == len(orders)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"end_to_end_id": "D" * 36}, "/payments/0/end_to_end_id"),
        ({"instruction_id": ""}, "/payments/0/instruction_id"),
        ({"amount": 0}, "/payments/0/amount"),
        ({"amount": -5}, "/payments/0/amount"),
        ({"amount": 10**17}, "/payments/0/amount"),
        ({"purpose": "券" * 141}, "/payments/0/purpose"),
        ({"purpose": " "}, "/payments/0/purpose"),
        ({"pool": "no-such-pool"}, "/payments/0/pool"),
        ({"creditor": changed(COMPANY, name="A\x00B")}, "/payments/0/creditor/name"),
        ({"creditor": changed(COMPANY, name="A\ud800B")}, "/payments/0/creditor/name"),
        ({"creditor": changed(COMPANY, name="A\nB")}, "/payments/0/creditor/name"),
        ({"creditor": changed(COMPANY, account="1" * 35)}, "/payments/0/creditor/account"),
        ({"creditor": changed(COMPANY, bank_code="")}, "/payments/0/creditor/bank_code"),
    ],
)
def test_a_payment_that_the_format_cannot_say_is_named(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refusal) as refused:
        pain001.write(changed(BATCH, payments=(changed(ORDER, **changes),)))

    assert (refused.value.code, refused.value.pointer) == ("unwritable", pointer)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"message_id": "M" * 36}, "/message_id"),
        ({"initiating_party": ""}, "/initiating_party"),
        ({"created_at": datetime(2026, 11, 25)}, "/created_at"),  # noqa: DTZ001  # a naive time is what is refused
        ({"payments": ()}, "/payments"),
        ({"payments": (ORDER, ORDER)}, "/payments/1/end_to_end_id"),
        ({"debtors": {"ai-package-2025": changed(TREASURY, account="")}}, "/debtors/ai-package-2025/account"),
        (
            {"payments": (changed(ORDER, amount=10**17 - 1), changed(ORDER, amount=1, end_to_end_id="DD2"))},
            "/payments",
        ),
    ],
)
def test_a_batch_that_the_format_cannot_say_is_refused(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Refusal) as refused:
        pain001.write(changed(BATCH, **changes))

    assert (refused.value.code, refused.value.pointer) == ("unwritable", pointer)
