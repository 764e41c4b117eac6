"""You are behind `drawdown reconcile`: the report of disbursement, metrics beside the ledger, the bank beside payments.

Disbursement reconciles itself. What it can't see, because no service asks another one, is compared here, over HTTP.
The system goes on meanwhile: metrics is compared with the ledger as it was at the transfer that metrics has reached.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.chain import GENESIS
from contracts.money import yuan
from stack import audit, events, gauges
from stack.errors import StackError
from stack.events import Item
from stack.home import Home

STALE_SECONDS = 900.0
STATES = ("available", "committed", "obligated", "disbursed")
PAGE = 1000


def report(home: Home) -> Item:
    """Everything that is compared, and each difference in words."""
    own = events.get(home, "disbursement", "/v1/reconciliation", {})
    discrepancies = list(_items(home, "/v1/discrepancies", {}))
    pools = events.get(home, "disbursement", "/v1/pools", {})["items"]
    return {
        "books": own,
        "on_hold": {pool["pool"]: pool["on_hold"] for pool in pools if pool["on_hold"]},
        "differences": [
            *of_books(own, datetime.now(UTC)),
            *({"check": "metrics", **each} for each in of_metrics(home)),
            *({"check": "bank", **each} for each in of_bank(home)),
        ],
        "bank_reports_that_fit_nothing": len(discrepancies),
    }


def of_books(own: Item, now: datetime) -> Iterator[Item]:
    """What disbursement found; and a check that is too old to say anything."""
    for item in own["items"]:
        place = {"check": item["check"], "pool": item["pool"]}
        if item["checked_at"] is None:
            yield {**place, "detail": ["was never checked: does disbursement's worker run?"]}
        elif (age := (now - datetime.fromisoformat(item["checked_at"])).total_seconds()) > STALE_SECONDS:
            yield {**place, "detail": [f"was last checked {age / 60:.0f} minutes ago: drawdown logs disbursement"]}
        if item["detail"]:
            yield {**place, "difference": item["difference"], "since": item["found_at"], "detail": item["detail"]}


# --- metrics = ledger -------------------------------------------------------------------------------------------------


def of_metrics(home: Home) -> Iterator[Item]:
    """Compare what metrics shows, on `/v1/pools` and on `/metrics`, with the ledger at the same transfer."""
    before = _by_pool(events.get(home, "metrics", "/v1/pools", {}))
    scraped = gauges.of_pools(events.text(home, "metrics", "/metrics"))
    after = _by_pool(events.get(home, "metrics", "/v1/pools", {}))
    for name, pool in _by_pool(events.get(home, "disbursement", "/v1/pools", {})).items():
        first, last = before.get(name, {"version": 0})["version"], after.get(name, {"version": 0})["version"]
        if last > pool["version"]:
            yield _difference(name, f"has seen {last} transfers, the ledger has {pool['version']}")
            continue
        ledger = _states(home, name, first, last)
        yield from (_difference(name, words) for words in compare(after.get(name), ledger[last]))
        shown = {state: scraped.get((name, state)) for state in (gauges.APPROPRIATED, *STATES)}
        if not any(shown == _amounts(each) for each in ledger.values()):
            words = {state: None if amount is None else yuan(amount) for state, amount in shown.items()}
            yield _difference(name, f"/metrics shows {words}, as the ledger never was from {first} to {last} transfers")


def _by_pool(answer: Item) -> dict[str, Item]:
    return {item["pool"]: item for item in answer["items"]}


def _states(home: Home, pool: str, first: int, last: int) -> Mapping[int, Item]:
    """The ledger's state after each of these transfers; 0 is before the first."""
    nothing = {"hash": GENESIS, "balances": dict.fromkeys(STATES, 0)}
    states: dict[int, Item] = {0: nothing} if first == 0 else {}
    for transfer in audit.transfers(home, pool, after_version=max(0, first - 1)):
        if transfer["version"] > last:
            break
        states[transfer["version"]] = transfer
    return states


def compare(shown: Item | None, transfer: Item) -> Iterator[str]:
    """Say how a pool of metrics differs from the ledger at the transfer that it names."""
    if shown is None:
        yield "metrics does not know this pool"
        return
    if shown["hash"] != transfer["hash"]:
        yield f"has the hash {shown['hash']} at transfer {shown['version']}, the ledger {transfer['hash']}"
    for state, amount in _amounts(transfer).items():
        if shown[state]["amount"] != amount:
            found = yuan(shown[state]["amount"])
            yield f"shows {state} {found}, the ledger {yuan(amount)} (after transfer {shown['version']})"
    if shown["imbalance"]["amount"] or shown["chain_breaks"]:
        yield f"found itself {yuan(shown['imbalance']['amount'])} out of balance, {shown['chain_breaks']} breaks"


def _amounts(transfer: Item) -> dict[str, int]:
    balances: dict[str, int] = transfer["balances"]
    return {gauges.APPROPRIATED: sum(balances.values()), **balances}


def _difference(pool: str, words: str) -> Item:
    return {"pool": pool, "detail": [words]}


# --- payments = the bank ----------------------------------------------------------------------------------------------


def of_bank(home: Home) -> Iterator[Item]:
    """Compare payments with the log of the finance system, where one can be asked.

    Read in this order, a payment that is settled here was made there before, and what was made there is known here.
    """
    payments = {item["payment_id"]: item for item in _items(home, "/v1/payments", {})}
    try:
        log = events.get(home, "finance", "/v1/log", {})["items"]
    except StackError:
        return  # another finance system than the one that ships here: it is reconciled by its reports
    if not {entry["payment_id"] for entry in log} <= payments.keys():
        payments = {item["payment_id"]: item for item in _items(home, "/v1/payments", {})} | payments
    yield from ({"pool": pool, "detail": [words]} for pool, words in compare_bank(payments, log))


def compare_bank(payments: Mapping[str, Item], log: Iterable[Item]) -> Iterator[tuple[str | None, str]]:
    """Say what was paid and is not settled, settled and not paid, or paid twice; on its way is no difference."""
    paid: dict[str, list[Item]] = {}
    for entry in log:
        if entry["payment_id"] not in payments:
            yield None, f"the bank has payment {entry['payment_id']}, disbursement never ordered it"
        elif entry["outcome"] == "settled":
            paid.setdefault(entry["payment_id"], []).append(entry)
    for payment_id, payment in payments.items():
        amount, made = payment["money"]["amount"], [entry["amount"] for entry in paid.get(payment_id, [])]
        if payment["status"] == "settled" and amount and made != [amount]:
            yield payment["pool"], f"payment {payment_id} is settled with {yuan(amount)}, the bank paid {_yuan(made)}"
        elif made and (made != [amount] or payment["status"] == "cancelled"):
            yield payment["pool"], f"payment {payment_id} is {payment['status']}, the bank paid {_yuan(made)}"


def _yuan(amounts: list[int]) -> str:
    return " and ".join(yuan(amount) for amount in amounts) or "nothing"


def _items(home: Home, path: str, asked: Mapping[str, Any]) -> Iterator[Item]:
    """All pages of a list of disbursement's."""
    more: dict[str, str | int] = {"limit": PAGE, **asked}
    while True:
        page = events.get(home, "disbursement", path, more)
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        more["cursor"] = page["next_cursor"]
