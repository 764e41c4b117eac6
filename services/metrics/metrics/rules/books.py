"""The ledger replayed: what a transfer does to its pool, and how we notice that one is missing or was changed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, get_args

import msgspec

from contracts.chain import GENESIS
from contracts.common import BalanceState
from contracts.events import AwardIssued, TransferPosted

STATES: Final[tuple[str, ...]] = get_args(BalanceState)
APPROPRIATED: Final = "appropriated"


class Pool(msgspec.Struct):
    """A pool as replayed from its transfers, beside the balances that the last transfer carried. Amounts in fen.

    ``breaks`` counts the places where the chain of transfers was broken; only a rebuild sets it back.
    """

    pool: str
    version: int = 0
    hash: str = GENESIS
    appropriated: int = 0
    available: int = 0
    committed: int = 0
    obligated: int = 0
    disbursed: int = 0
    carried_available: int = 0
    carried_committed: int = 0
    carried_obligated: int = 0
    carried_disbursed: int = 0
    breaks: int = 0
    last_break: str | None = None

    @property
    def imbalance(self) -> int:
        """Fen by which replay, carried balances and appropriation differ, added up without regard to sign.

        Zero, or the books are wrong.
        """
        carried = {state: getattr(self, f"carried_{state}") for state in STATES}
        apart = sum(abs(getattr(self, state) - amount) for state, amount in carried.items())
        return int(apart + abs(self.appropriated - sum(carried.values())))


def seen(pool: Pool, transfer: TransferPosted) -> bool:
    """Return whether this place of the chain has been replayed already."""
    return transfer.version <= pool.version


def flaw(pool: Pool, transfer: TransferPosted) -> str | None:
    """Say how a transfer fails to follow the pool's last one; None when it does, or is that very one again."""
    if transfer.version == pool.version and transfer.hash != pool.hash:
        return f"two different transfers have version {transfer.version}"
    if seen(pool, transfer):
        return None
    if transfer.version > pool.version + 1:
        return f"version {transfer.version} follows version {pool.version}"
    if transfer.previous_hash != pool.hash:
        return f"version {transfer.version} does not carry the hash of version {pool.version}"
    return None


def note(pool: Pool, found: str) -> None:
    """Remember a broken chain: it stays visible until the projection is rebuilt."""
    pool.breaks += 1
    pool.last_break = found


def replay(pool: Pool, transfer: TransferPosted) -> None:
    """Move the transfer's money and remember what it says the pool holds now.

    Raises ValueError for a state that the contract does not know.
    """
    amount = transfer.money.amount
    if transfer.source not in (APPROPRIATED, *STATES):
        raise ValueError(f"transfer {transfer.transfer_id} comes from the unknown state {transfer.source!r}")
    _add(pool, transfer.source, -amount)
    _add(pool, transfer.to, amount)
    for state in STATES:
        setattr(pool, f"carried_{state}", getattr(transfer.balances, state))
    pool.version, pool.hash = transfer.version, transfer.hash


def _add(pool: Pool, state: str, amount: int) -> None:
    """Add fen to a state. ``appropriated`` is none: it counts what came from outside, less what went back there."""
    change = -amount if state == APPROPRIATED else amount
    setattr(pool, state, getattr(pool, state) + change)


def legs(transfer: TransferPosted) -> Iterator[tuple[str, int]]:
    """Yield (state, signed fen) for what moved inside the pool; a change of its appropriation yields none."""
    if APPROPRIATED not in (transfer.source, transfer.to):
        yield transfer.source, -transfer.money.amount
        yield transfer.to, transfer.money.amount


def opens_award(transfer: TransferPosted) -> bool:
    """Return whether this is the transfer that commits an award: it sets the fiscal year that pays for it."""
    return transfer.reason == AwardIssued.TYPE and transfer.award_id is not None


def year_of(moment: datetime) -> int:
    """Return the fiscal year of a local time: in China it is the calendar year (Budget Law, article 18)."""
    return moment.year
