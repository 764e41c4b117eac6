"""Reads a pool's transfers one after the other: is each the one that was posted, and does it follow the one before?"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.chain import GENESIS, transfer_hash
from contracts.money import yuan
from disbursement.reconciliation.rules import BOOKS, Difference
from disbursement.records import Books, Pool
from disbursement.rules import MOVES

APPROPRIATED: Final = "appropriated"
_STATES: Final = BOOKS[1:]
_MOST_FLAWS: Final = 1_000
# A column of the table, and where the published document has the same.
_COLUMNS: Final = {"transfer_id": "transfer_id", "pool": "pool", "version": "version", "source": "from", "target": "to"}
_MORE_COLUMNS: Final = ("scheme", "award_id", "claim_id", "payment_id", "hash")

Document = Mapping[str, Any]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as it stands in the table."""

    pool: str
    version: int
    transfer_id: UUID
    source: str
    target: str
    amount: int
    scheme: str | None
    award_id: UUID | None
    claim_id: UUID | None
    payment_id: UUID | None
    hash: str
    document: str


class Reached(Books, kw_only=True):
    """How far a pool's transfers were read, the last one's hash, and what they add up to until there."""

    pool: str
    version: int = 0
    hash: str = GENESIS


class Chain:
    """One reading, from ``begin`` on. The first link to follow is the one that ``begin`` reached, if any: is it there?

    Each flaw is told once: what comes behind is judged by the transfer before it, as it stands. ``clean`` is the
    furthest place up to which nothing was wrong; flaws of ``known`` versions were examined by people.
    """

    def __init__(self, begin: Reached, known: frozenset[int] = frozenset()) -> None:
        self.reached = msgspec.structs.replace(begin)
        self.clean = begin
        self.flaws: list[Difference] = []
        self._known = known
        self._carried: Mapping[str, int] | None = dict.fromkeys(_STATES, 0) if begin.version == 0 else None
        self._begins = begin.version > 0

    def follow(self, links: Iterable[Link]) -> None:
        """Read on."""
        for link in links:
            document = _document(link)
            if self._begins:
                self._begins = False
                if self._is_where_we_were(link, document):
                    continue
            self._judge(link, document)
            self._go_on(link, document)
        if not self.flaws:
            self.clean = msgspec.structs.replace(self.reached)

    def end(self, pool: Pool) -> None:
        """Hold that the pool's row counts exactly the transfers that are there."""
        there = self.reached
        if self._begins:
            self._flaw(there.version, 1, f"{_range(there.version, pool.version)} missing at the end")
        elif pool.version > there.version:
            self._flaw(pool.version, 1, f"{_range(there.version + 1, pool.version)} missing at the end")
        elif pool.version < there.version:
            self._flaw(there.version, 1, f"the pool counts {pool.version} transfers, there are {there.version}")
        elif pool.hash != there.hash:
            self._flaw(pool.version, 1, f"the pool's hash is not that of its last transfer, {pool.version}")

    def _is_where_we_were(self, link: Link, document: Document | None) -> bool:
        here = self.reached
        if link.version != here.version:
            self._flaw(here.version, 1, f"{_range(here.version, link.version - 1)} missing")
            here.version = link.version - 1
            here.hash = _text(document, "previous_hash")
            return False
        if link.hash != here.hash:
            self._flaw(link.version, link.amount, f"{_named(link)} is not the one that stood there before")
        if wrong := self._wrong_by_itself(link, document):
            self._flaw(link.version, link.amount, f"{_named(link)}: {'; '.join(wrong)}")
        here.hash, self._carried = link.hash, _carried(document)
        return True

    def _judge(self, link: Link, document: Document | None) -> None:
        here = self.reached
        wrong = self._wrong_by_itself(link, document)
        if link.version != here.version + 1:
            self._flaw(link.version, 1, f"{_range(here.version + 1, link.version - 1)} missing")
            self._carried = None
        elif document is not None and document.get("previous_hash") != here.hash:
            wrong.append("it does not carry the hash of the one before it")
        wrong += self._wrong_balances(link, document)
        if wrong:
            self._flaw(link.version, link.amount, f"{_named(link)}: {'; '.join(wrong)}")

    def _wrong_by_itself(self, link: Link, document: Document | None) -> list[str]:
        if document is None:
            return ["its document can't be read"]
        wrong = []
        if transfer_hash(document) != link.hash:
            wrong.append("its document was changed: it has another hash")
        if differing := sorted(_differing(link, document)):
            wrong.append(f"its row and its document differ in {', '.join(differing)}")
        if (link.source, link.target) not in MOVES:
            wrong.append(f"there is no move from {link.source} to {link.target}")
        return wrong

    def _wrong_balances(self, link: Link, document: Document | None) -> list[str]:
        carried = _carried(document)
        if self._carried is None or carried is None:
            return []
        wanted = {state: self._carried[state] + _change(link, state) for state in _STATES}
        below = [f"it carries {state} {yuan(carried[state])}, below zero" for state in _STATES if carried[state] < 0]
        return below + [
            f"it carries {state} {yuan(carried[state])}, the one before it and its move make {yuan(wanted[state])}"
            for state in _STATES
            if carried[state] != wanted[state]
        ]

    def _go_on(self, link: Link, document: Document | None) -> None:
        here = self.reached
        here.version, here.hash, self._carried = link.version, link.hash, _carried(document)
        for state in _STATES:
            setattr(here, state, getattr(here, state) + _change(link, state))
        here.appropriated -= _change(link, APPROPRIATED)  # it counts what came from outside, less what went back

    def _flaw(self, version: int, amount: int, words: str) -> None:
        if version not in self._known and len(self.flaws) < _MOST_FLAWS:
            self.flaws.append(Difference("chain", self.reached.pool, max(1, amount), words))


def _document(link: Link) -> Document | None:
    try:
        found = msgspec.json.decode(link.document)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _carried(document: Document | None) -> Mapping[str, int] | None:
    balances = document.get("balances") if document else None
    if not isinstance(balances, dict) or any(type(balances.get(state)) is not int for state in _STATES):
        return None
    return balances


def _differing(link: Link, document: Document) -> Iterable[str]:
    columns = {**_COLUMNS, **{name: name for name in _MORE_COLUMNS}}
    for column, field in columns.items():
        kept = getattr(link, column)
        if document.get(field) != (str(kept) if isinstance(kept, UUID) else kept):
            yield column
    money = document.get("money")
    if not isinstance(money, dict) or money.get("amount") != link.amount:
        yield "amount"


def _change(link: Link, state: str) -> int:
    return link.amount * ((link.target == state) - (link.source == state))


def _text(document: Document | None, name: str) -> str:
    return str(document.get(name)) if document else ""


def _named(link: Link) -> str:
    return f"transfer {link.version} ({link.transfer_id})"


def _range(first: int, last: int) -> str:
    return f"transfer {first} is" if first >= last else f"transfers {first} to {last} are"
