"""What `drawdown reconcile` compares by itself: metrics with the ledger, payments with the bank."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stack.reconcile import compare, compare_bank, of_books

TRANSFER = {
    "version": 7,
    "hash": "f" * 64,
    "balances": {"available": 40, "committed": 30, "obligated": 20, "disbursed": 10},
}


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


def shown(**changes: Any) -> dict[str, Any]:
    """Return the pool as metrics shows it after that transfer."""
    amounts = {"appropriated": 100, **TRANSFER["balances"], "imbalance": 0}  # type: ignore[dict-item]
    pool = {"pool": "p", "version": 7, "hash": "f" * 64, "chain_breaks": 0}
    return pool | {name: money(amount) for name, amount in amounts.items()} | changes


def test_metrics_that_replayed_the_same_transfers_show_the_same() -> None:
    assert list(compare(shown(), TRANSFER)) == []


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        (None, "does not know this pool"),
        (shown(hash="0" * 64), f"has the hash {'0' * 64} at transfer 7, the ledger {'f' * 64}"),
        (shown(committed=money(31)), "shows committed 0.31, the ledger 0.30 (after transfer 7)"),
        (shown(appropriated=money(99)), "shows appropriated 0.99, the ledger 1.00"),
        (shown(imbalance=money(2)), "found itself 0.02 out of balance"),
        (shown(chain_breaks=1), "1 breaks"),
    ],
)
def test_what_metrics_shows_otherwise_is_named(pool: dict[str, Any] | None, says: str) -> None:
    [words] = compare(pool, TRANSFER)

    assert says in words


def payment(status: str, amount: int = 50) -> dict[str, Any]:
    return {"p1": {"payment_id": "p1", "pool": "p", "status": status, "money": money(amount)}}


def entry(outcome: str = "settled", amount: int = 50, payment_id: str = "p1") -> dict[str, Any]:
    return {"payment_id": payment_id, "outcome": outcome, "amount": amount}


@pytest.mark.parametrize(
    ("payments", "log"),
    [
        (payment("settled"), [entry("returned"), entry()]),
        (payment("settled", 0), []),
        (payment("instructed"), [entry()]),
        (payment("instructed"), []),
        (payment("returned"), [entry("returned")]),
        (payment("cancelled"), [entry("returned")]),
    ],
)
def test_what_is_paid_settled_or_on_its_way_is_no_difference(
    payments: dict[str, Any], log: list[dict[str, Any]]
) -> None:
    assert list(compare_bank(payments, log)) == []


@pytest.mark.parametrize(
    ("payments", "log", "says"),
    [
        (payment("settled"), [], "payment p1 is settled with 0.50, the bank paid nothing"),
        (payment("settled"), [entry("returned")], "the bank paid nothing"),
        (payment("settled"), [entry(amount=51)], "settled with 0.50, the bank paid 0.51"),
        (payment("settled"), [entry(), entry()], "the bank paid 0.50 and 0.50"),
        (payment("instructed"), [entry(amount=51)], "payment p1 is instructed, the bank paid 0.51"),
        (payment("cancelled"), [entry()], "payment p1 is cancelled, the bank paid 0.50"),
        ({}, [entry()], "disbursement never ordered it"),
    ],
)
def test_what_the_bank_did_otherwise_is_named(payments: dict[str, Any], log: list[dict[str, Any]], says: str) -> None:
    [(_, words)] = compare_bank(payments, log)

    assert says in words


def test_a_check_that_was_never_made_or_long_ago_says_nothing_and_counts() -> None:
    now = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
    item: dict[str, Any] = {"check": "chain", "pool": "p", "difference": money(0), "detail": [], "found_at": None}
    fresh, old = [(now - timedelta(minutes=minutes)).isoformat() for minutes in (14, 16)]

    found = [list(of_books({"items": [item | {"checked_at": at}]}, now)) for at in (fresh, old, None)]

    assert [[each["detail"][0].split(":")[0] for each in several] for several in found] == [
        [],
        ["was last checked 16 minutes ago"],
        ["was never checked"],
    ]
