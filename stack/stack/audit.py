"""You are behind `drawdown audit`: a ledger as disbursement shows it, page by page, and the copies of its end."""

from collections.abc import Iterator

from stack import audit_verify, events
from stack.errors import StackError
from stack.events import Item
from stack.home import Home

PAGE = 1000

Copies = dict[str, dict[int, set[str]]]
"""Hashes that are known elsewhere, by pool and version."""


def pools(home: Home, chosen: str | None) -> list[str]:
    """The one pool that was chosen, or all. Raises StackError for a pool that is none of them."""
    known = [str(item["pool"]) for item in events.get(home, "disbursement", "/v1/pools", {})["items"]]
    if chosen is not None and chosen not in known:
        raise StackError(f"there is no pool {chosen}: choose one of {', '.join(known)}")
    return [chosen] if chosen else known


def transfers(home: Home, pool: str, after_version: int = 0) -> Iterator[Item]:
    """A pool's transfers, in order, as they were published."""
    asked: dict[str, str | int] = {"pool": pool, "limit": PAGE, "after_version": after_version}
    while True:
        page = events.get(home, "disbursement", "/v1/transfers", asked)
        for transfer in page["items"]:
            yield _checked(transfer)
        if page["next_cursor"] is None:
            return
        asked["after_version"] = page["items"][-1]["version"]


def _checked(transfer: Item) -> Item:
    try:
        audit_verify.check_shape(transfer)
    except (ValueError, TypeError) as error:
        raise StackError(f"disbursement shows what is no transfer: {error}") from error
    return transfer


def copy_of(home: Home, service: str, chosen: list[str]) -> Copies:
    """How far a service knows these pools' ledgers. Ask it before the transfers are read: they must reach so far."""
    items = events.get(home, service, "/v1/pools", {})["items"]
    return {item["pool"]: {item["version"]: {item["hash"]}} for item in items if item["pool"] in chosen}


def together(*copies: Copies) -> Copies:
    """All that is known elsewhere."""
    joined: Copies = {}
    for copy in copies:
        for pool, hashes in copy.items():
            for version, wanted in hashes.items():
                joined.setdefault(pool, {}).setdefault(version, set()).update(wanted)
    return joined
