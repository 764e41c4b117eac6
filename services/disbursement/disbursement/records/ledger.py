"""The ledger's records: the books of pools and envelopes, what a company was granted, a posted transfer."""

from datetime import datetime
from uuid import UUID

import msgspec


class Books(msgspec.Struct, kw_only=True):
    """The five amounts of a pool or an envelope: appropriated = available + committed + obligated + disbursed."""

    appropriated: int = 0
    available: int = 0
    committed: int = 0
    obligated: int = 0
    disbursed: int = 0

    def balanced(self) -> bool:
        return self.appropriated == self.available + self.committed + self.obligated + self.disbursed


class Pool(Books, kw_only=True):
    """An appropriation. ``version`` counts its transfers, ``hash`` is the last one's.

    ``on_hold`` says why nothing new is awarded from it: a reconciliation found a difference.
    """

    pool: str
    name_zh: str
    name_en: str
    version: int = 0
    hash: str
    on_hold: str | None = None


class Envelope(Books, kw_only=True):
    """The part of a pool that a scheme may commit in one fiscal year."""

    scheme: str
    fiscal_year: int
    pool: str


class Cap(msgspec.Struct, kw_only=True):
    """What a company has been granted in a scheme and fiscal year, less what was given back."""

    scheme: str
    fiscal_year: int
    holder: str
    granted: int = 0


class Transfer(msgspec.Struct, kw_only=True):
    """One posted move. ``command`` is unique: the same cause can't post twice. ``document`` is what was published."""

    transfer_id: UUID
    command: str
    pool: str
    version: int
    source: str
    target: str
    amount: int
    scheme: str | None
    award_id: UUID | None
    claim_id: UUID | None
    payment_id: UUID | None
    hash: str
    document: str
    posted_at: datetime
