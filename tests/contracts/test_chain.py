"""The chain's hash is a published definition: however it is computed, it is the plain one's, letter by letter."""

import hashlib
import json
from datetime import UTC, datetime, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.chain import seal, transfer_hash
from contracts.codec import to_builtins
from contracts.events import Balances, TransferPosted
from contracts.money import LARGEST_EXACT_INTEGER, Money

HALVES = st.characters(exclude_categories=["Cs"])  # UTF-8 has no half of a surrogate pair
TEXTS = st.text(HALVES) | st.sampled_from(['"hash":"",', '","hash":"","', "\x7f\x00\u2028\\/", "previous_hash"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone.max]), min_value=datetime(1, 1, 3))  # noqa: DTZ001
FEN = st.integers(0, LARGEST_EXACT_INTEGER)
TRANSFERS = st.builds(
    TransferPosted,
    occurred_at=MOMENTS,
    transfer_id=st.uuids(),
    pool=TEXTS,
    version=st.integers(1, 2**63),
    previous_hash=TEXTS,
    hash=st.just(""),
    scheme=st.none() | TEXTS,
    district=st.none() | TEXTS,
    source=TEXTS,
    to=st.sampled_from(["available", "committed", "obligated", "disbursed"]),
    money=st.builds(Money, FEN),
    reason=TEXTS,
    **{name: st.none() | st.uuids() for name in ("application_id", "award_id", "claim_id", "payment_id")},
    balances=st.builds(Balances, FEN, FEN, FEN, FEN),
    posted_at=MOMENTS,
)


def by_definition(data: dict[str, Any]) -> str:
    """Return the hash as docs/contract.md says it, in the standard library's words."""
    content = {name: value for name, value in data.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@given(st.dictionaries(TEXTS | st.just("hash"), VALUES))
def test_any_data_without_fractions_have_the_hash_of_the_definition(data: dict[str, Any]) -> None:
    assert transfer_hash(data) == by_definition(data)


@given(TRANSFERS)
def test_a_sealed_transfer_has_the_hash_of_the_definition(transfer: TransferPosted) -> None:
    written = seal(event := msgspec.structs.replace(transfer))
    data = to_builtins(event)
    assert data["hash"] == by_definition(data) == transfer_hash(data)
    assert msgspec.structs.replace(event, hash="") == transfer
    assert json.loads(written) == data


@given(TRANSFERS)
def test_a_transfer_is_sealed_once(transfer: TransferPosted) -> None:
    seal(event := msgspec.structs.replace(transfer))
    with pytest.raises(AssertionError, match="sealed already"):
        seal(event)
