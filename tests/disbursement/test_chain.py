"""A pool's transfers read one after the other: whatever was changed, removed or slipped in is named, once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.chain import GENESIS, transfer_hash
from disbursement.reconciliation.chain import Chain, Link, Reached
from disbursement.records import Pool
from kit.identifiers import uuid7

POOL = "p"
STATES = ("available", "committed", "obligated", "disbursed")
MOVES = [("appropriated", "available", 100), ("available", "committed", 60), ("committed", "obligated", 50)]


def ledger(*moves: tuple[str, str, int]) -> list[Link]:
    """Return a right chain of these moves."""
    links: list[Link] = []
    balances, previous = dict.fromkeys(STATES, 0), GENESIS
    for version, (source, target, amount) in enumerate(moves, start=1):
        for state, change in ((source, -amount), (target, amount)):
            if state in balances:
                balances[state] += change
        document: dict[str, Any] = {
            "transfer_id": str(uuid7()),
            "pool": POOL,
            "version": version,
            "previous_hash": previous,
            "scheme": None,
            "from": source,
            "to": target,
            "money": {"amount": amount, "currency": "CNY"},
            "balances": dict(balances),
        }
        document["hash"] = previous = transfer_hash(document)
        links.append(link_of(document))
    return links


def link_of(document: dict[str, Any], **columns: Any) -> Link:
    values = {
        "pool": document["pool"],
        "version": document["version"],
        "transfer_id": UUID(document["transfer_id"]),
        "source": document["from"],
        "target": document["to"],
        "amount": document["money"]["amount"],
        "scheme": document["scheme"],
        "award_id": None,
        "claim_id": None,
        "payment_id": None,
        "hash": document["hash"],
        "document": msgspec.json.encode(document).decode(),
    }
    return Link(**values | columns)


def changed(link: Link, *, sealed: bool = False, **fields: Any) -> Link:
    """Return a transfer whose document was changed; ``sealed`` with a hash that fits it."""
    document = msgspec.json.decode(link.document) | fields
    if sealed:
        document["hash"] = transfer_hash(document)
    return link_of(document) if sealed else link_of(document, hash=link.hash)


def pool_of(links: list[Link]) -> Pool:
    return Pool(pool=POOL, name_zh="", name_en="", version=links[-1].version, hash=links[-1].hash)


def read(links: list[Link], *, begin: Reached | None = None, known: frozenset[int] = frozenset()) -> Chain:
    chain = Chain(begin or Reached(pool=POOL), known)
    chain.follow(links)
    return chain


def words(chain: Chain) -> list[str]:
    return [flaw.words for flaw in chain.flaws]


def test_a_right_chain_has_no_flaw_and_adds_up() -> None:
    links = ledger(*MOVES)
    chain = read(links)
    chain.end(pool_of(links))

    assert chain.flaws == []
    assert chain.clean == chain.reached
    assert (chain.reached.version, chain.reached.hash) == (3, links[-1].hash)
    assert [getattr(chain.reached, state) for state in ("appropriated", *STATES)] == [100, 40, 10, 50, 0]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_reading_in_two_parts_is_reading_at_once(cut: int) -> None:
    links = ledger(*MOVES)
    first = read(links[:cut])

    second = read(links[cut - 1 :], begin=first.reached)

    assert (second.flaws, second.reached) == ([], read(links).reached)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda links: links[:1] + links[2:], "transfer 2 is missing"),
        (lambda links: links[2:], "transfers 1 to 2 are missing"),
        (lambda links: links[:2], "transfer 3 is missing at the end"),
        (lambda links: [*links[:1], changed(links[1], scheme="x"), *links[2:]], "its document was changed"),
        (
            lambda links: [*links[:1], changed(links[1], sealed=True, scheme="x"), *links[2:]],
            "transfer 3 ({}): it does not carry the hash of the one before it",
        ),
        (
            lambda links: [*links[:1], link_of(msgspec.json.decode(links[1].document), amount=61), *links[2:]],
            "its row and its document differ in amount",
        ),
        (
            lambda links: [*links[:1], msgspec.structs.replace(links[1], document="{"), *links[2:]],
            "its document can't be read",
        ),
        (
            lambda links: [*links[:1], msgspec.structs.replace(links[1], document="[]"), *links[2:]],
            "its document can't be read",
        ),
    ],
)
def test_what_was_changed_or_removed_is_named(spoil: Callable[[list[Link]], list[Link]], says: str) -> None:
    links = ledger(*MOVES)
    chain = read(spoil(links))
    chain.end(pool_of(links))

    assert any(says.format(links[2].transfer_id) in each for each in words(chain)), words(chain)


def test_a_wrong_balance_is_told_where_it_begins_and_where_it_ends() -> None:
    links = ledger(*MOVES, ("committed", "obligated", 1), ("committed", "obligated", 2))
    wrong = {"available": 45, "committed": 4, "obligated": 51, "disbursed": 0}
    links[3] = changed(links[3], sealed=True, balances=wrong)
    links[4] = changed(links[4], sealed=True, previous_hash=links[3].hash)

    first, second = words(read(links))

    assert f"transfer 4 ({links[3].transfer_id}): it carries available 0.45" in first
    assert "one before it and its move make 0.40" in first
    assert "transfer 5" in second


def test_a_flaw_that_people_know_is_passed_over() -> None:
    links = ledger(*MOVES)
    spoilt = [links[0], changed(links[1], scheme="x"), links[2]]

    chain = read(spoilt, known=frozenset({2}))

    assert chain.flaws == []
    assert chain.reached == read(links).reached


def test_reading_goes_on_from_the_last_place_where_nothing_was_wrong() -> None:
    links = ledger(*MOVES)
    chain = read(links[:1])
    chain.follow([changed(links[1], scheme="x"), links[2]])

    assert (chain.clean.version, chain.reached.version) == (1, 3)


@pytest.mark.parametrize("there", [0, 1])
def test_a_removed_place_where_reading_ended_is_named(there: int) -> None:
    links = ledger(*MOVES)
    chain = read(links[2 : 2 + there], begin=read(links[:2]).reached)
    chain.end(pool_of(links[: 2 + there]))

    assert words(chain) == ["transfer 2 is missing" if there else "transfer 2 is missing at the end"]


def test_another_transfer_in_the_place_where_reading_ended_is_named() -> None:
    links = ledger(*MOVES)
    other = changed(links[1], sealed=True, scheme="x")

    assert "is not the one that stood there before" in words(read([other], begin=read(links[:2]).reached))[0]


def test_a_pool_that_counts_less_or_has_another_hash_is_named() -> None:
    links = ledger(*MOVES)
    fewer, other = read(links), read(links)
    fewer.end(pool_of(links[:2]))
    other.end(Pool(pool=POOL, name_zh="", name_en="", version=3, hash=GENESIS))

    assert "counts 2 transfers, there are 3" in words(fewer)[0]
    assert "hash is not that of its last transfer" in words(other)[0]
