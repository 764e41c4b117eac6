"""You are at the invariants of money: I1 conserved, I2 never below zero, I5 nothing paid twice, I6 resolved once."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from tests.faults.evidence import Evidence, Row
from tests.faults.verdict import Verdict, verdict

_STATES: Final = ("available", "committed", "obligated", "disbursed")
_GENESIS: Final = "0" * 64
# What the bank's word on the last attempt makes of a payment. Finance's officers may give up what was sent back.
_ENDS: Final = {"settled": {"settled"}, "repeated": {"settled"}, "returned": {"returned", "cancelled"}}


def money_is_conserved(found: Evidence) -> Verdict:
    """I1: each pool, each envelope, and what all awards hold, to the fen; replayed from the first transfer."""
    pools = found.rows("disbursement", "pools")
    chains = _chains(found)

    def differences() -> Iterator[str]:
        for books in [*pools, *found.rows("disbursement", "envelopes")]:
            if books["appropriated"] != sum(books[state] for state in _STATES):
                yield f"{dict(books)} does not add up"
        for pool in pools:
            replayed = dict.fromkeys(_STATES, 0)
            for transfer in chains[pool["pool"]]:
                _move(replayed, transfer)
            if replayed != {state: pool[state] for state in _STATES}:
                yield f"{pool['pool']} replays to {replayed}, holds {[pool[state] for state in _STATES]}"
        yield from _awards_add_up(found)

    return verdict("I1 money is conserved", f"{sum(map(len, chains.values()))} transfers", differences())


def _awards_add_up(found: Evidence) -> Iterator[str]:
    held: Counter[tuple[str, str]] = Counter()
    for award in found.rows("disbursement", "awards"):
        if award["awarded"] != sum(award[s] for s in ("committed", "obligated", "disbursed", "released")):
            yield f"award {award['award_id']} does not add up"
        for state in _STATES[1:]:
            held[award["pool"], state] += award[state]
            held[award["scheme"], state] += award[state]
    books = {row["pool"]: row for row in found.rows("disbursement", "pools")}
    books |= {row["scheme"]: row for row in found.rows("disbursement", "envelopes")}
    for name, row in books.items():
        for state in _STATES[1:]:
            if row[state] != held[name, state]:
                yield f"{name} has {row[state]} {state}, its awards {held[name, state]}"


def never_below_zero(found: Evidence) -> Verdict:
    """I2: every version of every pool; and the database's own walls never had to stop anything."""
    chains = _chains(found)

    def differences() -> Iterator[str]:
        for pool, chain in chains.items():
            balances, previous = dict.fromkeys(_STATES, 0), _GENESIS
            for version, transfer in enumerate(chain, start=1):
                document = json.loads(transfer["document"])
                _move(balances, transfer)
                if min(balances.values()) < 0 or balances != document["balances"]:
                    yield f"{pool} version {version}: {balances}, written {document['balances']}"
                if (transfer["version"], document["previous_hash"]) != (version, previous):
                    yield f"{pool} version {version} is {transfer['version']}, its chain broken"
                if _hash(document) != transfer["hash"]:
                    yield f"{pool} version {version} was changed"
                previous = transfer["hash"]
        yield from found.alarms

    return verdict("I2 never below zero, no wall was hit", f"{len(chains)} chains, all logs", differences())


def caps_hold(found: Evidence) -> Verdict:
    """Rule 1: what a cap group was awarded stays within the cap, also when its applications met in one batch.

    What each company was awarded is remembered by company.
    """
    of_group: Counter[tuple[str, int, str]] = Counter()
    of_company: Counter[tuple[str, int, str]] = Counter()
    for award in found.rows("disbursement", "awards"):
        amount = award["awarded"] - award["released"]
        of_group[award["scheme"], award["fiscal_year"], award["cap_holder"]] += amount
        of_company[award["scheme"], award["fiscal_year"], award["applicant"]] += amount
    kept = {(r["scheme"], r["fiscal_year"], r["holder"]): r["granted"] for r in found.rows("disbursement", "caps")}

    def differences() -> Iterator[str]:
        for key, amount in of_group.items():
            if amount > found.caps[key[0]]:
                yield f"{key} was awarded {amount}, the cap is {found.caps[key[0]]}"
        for key, amount in of_company.items():
            if amount != kept.get(key, 0):
                yield f"{key} was awarded {amount}, its cap remembers {kept.get(key)}"

    return verdict("R1 no cap exceeded", f"{len(of_group)} cap groups", differences())


def nothing_paid_twice(found: Evidence) -> Verdict:
    """I5: the bank's log is the ledger: one payment per claim, settled once, the same sums."""
    payments = {str(row["payment_id"]): row for row in found.rows("disbursement", "payments")}
    settled = Counter(entry["payment_id"] for entry in found.bank if entry["outcome"] == "settled")
    latest = {entry["payment_id"]: entry for entry in sorted(found.bank, key=lambda entry: entry["attempt"])}
    instructed = {r.data()["payment_id"] for r in found.own("disbursement.payments") if r.type == "payment.instructed"}

    def differences() -> Iterator[str]:
        yield from (f"payment {each} was settled {times} times" for each, times in settled.items() if times > 1)
        yield from (
            f"the bank paid {each}, the ledger knows no such payment" for each in latest.keys() - payments.keys()
        )
        yield from (f"{each} was instructed, the ledger knows it not" for each in instructed - payments.keys())
        for identifier, payment in payments.items():
            entry = latest.get(identifier)
            there = entry and (entry["attempt"], entry["amount"], entry["end_to_end_id"])
            here = (payment["attempt"], payment["amount"], payment["end_to_end_id"])
            if entry is None or there != here or payment["status"] not in _ENDS[entry["outcome"]]:
                outcome = entry and entry["outcome"]
                yield f"payment {identifier} is {payment['status']} {here}, at the bank {outcome} {there}"
        for claim, times in Counter(row["claim_id"] for row in payments.values()).items():
            if times > 1:
                yield f"claim {claim} has {times} payments"

    seen = f"{len(payments)} payments, {len(found.bank)} bank entries, {len(found.by.lies)} false reports"
    return verdict("I5 nothing paid twice", seen, differences())


def holds_resolved_once(found: Evidence) -> Verdict:
    """I6: an award is committed once; a claim is obligated once and then resolved once, for the sum that it holds."""
    moves: defaultdict[tuple[str, Any], list[Row]] = defaultdict(list)
    for transfer in found.rows("disbursement", "transfers"):
        named = "claim_id" if transfer["claim_id"] else "award_id"
        moves[named, transfer[named]].append(transfer)

    def differences() -> Iterator[str]:
        for award in found.rows("disbursement", "awards"):
            of_award = Counter((t["source"], t["target"]) for t in moves["award_id", award["award_id"]])
            if of_award["available", "committed"] != 1 or of_award["committed", "available"] > 1:
                yield f"award {award['award_id']} moved {dict(of_award)}"
        for payment in found.rows("disbursement", "payments"):
            of_claim = moves["claim_id", payment["claim_id"]]
            told = [(t["source"], t["target"], t["amount"]) for t in of_claim]
            amount = payment["amount"]
            wanted = [("committed", "obligated", amount)]
            wanted += [("obligated", "disbursed", amount)] if payment["status"] == "settled" else []
            wanted += [("obligated", "committed", amount)] if payment["status"] == "cancelled" else []
            if sorted(told) != sorted(wanted):
                yield f"claim {payment['claim_id']} moved {told}, its payment is {payment['status']}"

    return verdict("I6 a hold is resolved once", f"{len(moves)} awards and claims", differences())


def _chains(found: Evidence) -> dict[str, list[Row]]:
    chains: defaultdict[str, list[Row]] = defaultdict(list)
    for transfer in sorted(found.rows("disbursement", "transfers"), key=lambda row: row["version"]):
        chains[transfer["pool"]].append(transfer)
    return chains


def _move(balances: dict[str, int], transfer: Row) -> None:
    if transfer["source"] in balances:
        balances[transfer["source"]] -= transfer["amount"]
    balances[transfer["target"]] += transfer["amount"]


def _hash(document: dict[str, Any]) -> str:
    """SHA-256 of the document without its own hash, as docs say an auditor computes it."""
    content = {name: value for name, value in document.items() if name != "hash"}
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()
