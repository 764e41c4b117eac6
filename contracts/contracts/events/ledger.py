"""What disbursement tells of the pools, keyed by pool (``disbursement.ledger``)."""

from typing import ClassVar, Literal

import msgspec

from contracts.common import Identifier, Instant
from contracts.events.base import Event
from contracts.money import Fen, Money


class Balances(msgspec.Struct, frozen=True, gc=False):
    """A pool's four amounts, in fen, after a transfer."""

    available: Fen
    committed: Fen
    obligated: Fen
    disbursed: Fen


class TransferPosted(Event, frozen=True, kw_only=True):
    """One move of money between two states of one pool; ``version`` counts a pool's moves without a gap.

    From ``appropriated`` comes what a pool is opened with or raised by; to it goes what it is lowered by.
    """

    TYPE: ClassVar[str] = "transfer.posted"

    transfer_id: Identifier
    pool: str
    version: int
    previous_hash: str
    hash: str
    scheme: str | None
    district: str | None
    source: str = msgspec.field(name="from")
    to: Literal["available", "committed", "obligated", "disbursed", "appropriated"]
    money: Money
    reason: str
    application_id: Identifier | None = None
    award_id: Identifier | None = None
    claim_id: Identifier | None = None
    payment_id: Identifier | None = None
    recovery_id: Identifier | None = None
    order_id: Identifier | None = None
    balances: Balances
    posted_at: Instant


class EnvelopeSet(Event, frozen=True, kw_only=True):
    """What a scheme may commit in a fiscal year was set: by its policy at first, later by an order of two persons."""

    TYPE: ClassVar[str] = "envelope.set"

    pool: str
    scheme: str
    fiscal_year: int
    appropriated: Money
    reason: str
    order_id: Identifier | None = None
