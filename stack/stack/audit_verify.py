"""Verifies an export of a ledger, offline, with nothing but Python 3.11 or newer: copy this one file and run it.

    python audit_verify.py export.jsonl
    python audit_verify.py export.jsonl --pool ai-package-2025 --expect-version 1200 --expect-hash 3f0c...

An export has one transfer a line, as it was published (JSON); each pool's lines are in the order of its versions. What
is checked of each pool:

  versions   count 1, 2, 3 without a gap
  chain      each transfer carries the hash of the one before; the first carries 64 zeros
  hash       is the SHA-256 of the transfer's data without `hash`: JSON, keys sorted, no spaces, plain UTF-8
  moves      are among those that exist, of at least one fen
  balances   carried by each transfer are those before it and its move; none is below zero
  identity   appropriated = available + committed + obligated + disbursed, replayed from the amounts alone
  awards     no award's part of a state falls below zero
  causes     no command posts twice: one award per application, one settlement per payment, and so on

The end of a chain can't be checked from the chain: compare it with a copy that somebody else keeps, by
--expect-version and --expect-hash (metrics has one, the topic disbursement.ledger has all).

Exit codes: 0 intact, 1 broken, 2 wrong usage or no export.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Transfer = dict[str, Any]

GENESIS = "0" * 64
APPROPRIATED = "appropriated"
STATES = ("available", "committed", "obligated", "disbursed")
MOVES = {
    (APPROPRIATED, "available"),
    ("available", APPROPRIATED),
    ("available", "committed"),
    ("committed", "obligated"),
    ("obligated", "disbursed"),
    ("obligated", "committed"),
    ("committed", "available"),
    ("disbursed", "available"),
}
# Whose id a reason may post for only once. An award ends once, and gives back the rest once more for each of its
# payments that is cancelled afterwards. Receipts of a recovery may be many: `transfer_id` keeps them apart.
CAUSES = {
    "pool.opened": ("pool",),
    "appropriation.set": ("order_id",),
    "award.issued": ("application_id",),
    "claim.payable": ("claim_id",),
    "payment.settled": ("payment_id",),
    "payment.netted": ("payment_id",),
    "payment.cancelled": ("payment_id",),
    "award.revoked": ("award_id",),
    "award.expired": ("award_id",),
    "award.closed": ("award_id",),
    "recovery.received": ("transfer_id",),
}
FAULTS_SHOWN = 20


class NoLedgerError(Exception):
    """What was given is no export of a ledger."""


def transfer_hash(transfer: Transfer) -> str:
    """The hash that a transfer has to carry."""
    content = {name: value for name, value in transfer.items() if name != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@dataclass
class Ledger:
    """One pool's transfers, as far as they were read. `faults` says what is wrong with them.

    `expected` are hashes that other copies have, by version.
    """

    pool: str
    expected: dict[int, set[str]] = field(default_factory=dict)
    version: int = 0
    hash: str = GENESIS
    appropriated: int = 0
    replayed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    carried: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    faults: list[str] = field(default_factory=list)
    _awards: dict[str, dict[str, int]] = field(default_factory=dict)
    _causes: dict[tuple[str, ...], int] = field(default_factory=dict)
    _cancelled: Transfer | None = None

    def read(self, transfer: Transfer) -> None:
        """Check the next transfer against those before it."""
        self._check_place(transfer)
        self._check_move(transfer)
        self._check_balances(transfer)
        self._check_award(transfer)
        self._check_cause(transfer)
        self.version, self.hash = transfer["version"], transfer["hash"]
        for wanted in self.expected.pop(self.version, set()) - {self.hash}:
            self._fault(transfer, f"has the hash {self.hash}, elsewhere it has {wanted}")

    def end(self) -> None:
        """Check what holds at the end, and that other copies don't go further."""
        if self.appropriated != sum(self.replayed.values()):
            self.faults.append(f"appropriated are {self.appropriated} fen, the four states make {self.replayed}")
        if self.replayed != self.carried:
            self.faults.append(f"the amounts make {self.replayed}, the last transfer carries {self.carried}")
        for version in sorted(each for each in self.expected if each > 0):
            self.faults.append(f"ends at version {self.version}; elsewhere version {version} is known")

    def _fault(self, transfer: Transfer, words: str) -> None:
        self.faults.append(f"version {transfer['version']} ({transfer['transfer_id']}): {words}")

    def _check_place(self, transfer: Transfer) -> None:
        if transfer["version"] != self.version + 1:
            self._fault(transfer, f"follows version {self.version}")
        if transfer["previous_hash"] != self.hash:
            self._fault(transfer, "does not carry the hash of the transfer before it")
        if transfer_hash(transfer) != transfer["hash"]:
            self._fault(transfer, "was changed: its content does not have its hash")

    def _check_move(self, transfer: Transfer) -> None:
        amount, move = transfer["money"]["amount"], (transfer["from"], transfer["to"])
        if move not in MOVES or amount < 1 or transfer["money"]["currency"] != "CNY":
            self._fault(transfer, f"{amount} {transfer['money']['currency']} from {move[0]} to {move[1]} is no move")
        for state in STATES:
            self.replayed[state] += change(transfer, state)
        self.appropriated -= change(transfer, APPROPRIATED)  # it counts what came from outside, less what went back

    def _check_balances(self, transfer: Transfer) -> None:
        carried = {state: transfer["balances"][state] for state in STATES}
        wanted = {state: amount + change(transfer, state) for state, amount in self.carried.items()}
        if carried != wanted:
            self._fault(transfer, f"carries {carried}, the one before it and its move make {wanted}")
        if min(carried.values()) < 0:
            self._fault(transfer, f"carries {carried}: below zero")
        self.carried = carried

    def _check_award(self, transfer: Transfer) -> None:
        if transfer.get("award_id") is None:
            return
        part = self._awards.setdefault(transfer["award_id"], dict.fromkeys(STATES, 0))
        for state in STATES[1:]:
            part[state] += change(transfer, state)
            if part[state] < 0:
                self._fault(
                    transfer, f"takes {-part[state]} fen more from {state} than award {transfer['award_id']} has"
                )

    def _check_cause(self, transfer: Transfer) -> None:
        reason = transfer["reason"]
        names = CAUSES.get(reason, ("transfer_id",))
        cause = (reason, *(str(transfer.get(name)) for name in names))
        if names == ("award_id",) and self._cancelled and self._cancelled.get("award_id") == transfer.get("award_id"):
            cause += (str(self._cancelled.get("payment_id")),)
        for key in {cause, ("transfer_id", transfer["transfer_id"])}:
            if key in self._causes:
                self._fault(transfer, f"posts {' '.join(key)} again, as version {self._causes[key]} did")
            self._causes[key] = transfer["version"]
        self._cancelled = transfer if reason == "payment.cancelled" else None


def change(transfer: Transfer, state: str) -> int:
    """By how much a transfer changes a state, in fen."""
    amount: int = transfer["money"]["amount"]
    return amount * (int(transfer["to"] == state) - int(transfer["from"] == state))


def read_lines(lines: Iterable[str]) -> Iterator[Transfer]:
    """Read an export. Raises NoLedgerError, with the line, for what is no transfer."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield parsed(line, f"line {number}")


def parsed(text: str, where: str) -> Transfer:
    """One transfer; a name that stands in it twice, or a fraction, would mean different things to different readers."""
    try:
        transfer = json.loads(text, object_pairs_hook=_each_once, parse_float=_no_fraction, parse_constant=_no_fraction)
        check_shape(transfer)
    except (ValueError, TypeError, RecursionError) as error:
        raise NoLedgerError(f"{where} is no transfer: {error}") from error
    return transfer  # type: ignore[no-any-return]  # check_shape has seen to it


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _no_fraction(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")


def check_shape(transfer: Any) -> None:
    """Raise an error unless everything that is checked later is there, and of its kind."""
    if not isinstance(transfer, dict):
        raise TypeError("it is no object")
    kinds: dict[str, type] = {
        "version": int,
        "money": dict,
        "balances": dict,
        **dict.fromkeys(("transfer_id", "pool", "previous_hash", "hash", "from", "to", "reason"), str),
    }
    numbers = {"money": ("amount",), "balances": STATES}
    for name, kind in kinds.items():
        if type(transfer.get(name)) is not kind:
            raise ValueError(f"{name} is missing, or no {kind.__name__}")
    for name, fields in numbers.items():
        for each in fields:
            if type(transfer[name].get(each)) is not int:
                raise ValueError(f"{name}.{each} is missing, or no int")
    if type(transfer["money"].get("currency")) is not str:
        raise ValueError("money.currency is missing")


def verify(transfers: Iterable[Transfer], expected: dict[str, dict[int, set[str]]] | None = None) -> list[Ledger]:
    """Read transfers of any pools, each pool's in order. `expected` are hashes by pool and version."""
    ledgers = {pool: Ledger(pool, dict(hashes)) for pool, hashes in (expected or {}).items()}
    for transfer in transfers:
        ledgers.setdefault(transfer["pool"], Ledger(transfer["pool"])).read(transfer)
    for ledger in ledgers.values():
        ledger.end()
    return list(ledgers.values())


def report(ledgers: Iterable[Ledger]) -> list[str]:
    """The lines for people."""
    lines = []
    for ledger in ledgers:
        state = "intact" if not ledger.faults else f"BROKEN, {len(ledger.faults)} faults"
        lines.append(f"{ledger.pool}: {ledger.version} transfers, {state}; the last has the hash {ledger.hash}")
        lines += [f"  {fault}" for fault in ledger.faults[:FAULTS_SHOWN]]
        if len(ledger.faults) > FAULTS_SHOWN:
            lines.append(f"  and {len(ledger.faults) - FAULTS_SHOWN} more")
    return lines


def main(arguments: list[str]) -> int:
    """Verify the file that the arguments name; print what was found, and give the exit code."""
    parser = argparse.ArgumentParser(prog="audit_verify.py", description="Verify an export of a Drawdown ledger.")
    parser.add_argument("export", help="the file: one transfer a line, as JSON")
    parser.add_argument("--pool", help="only this pool")
    parser.add_argument("--expect-version", type=int, help="a version of that pool that is known from elsewhere")
    parser.add_argument("--expect-hash", help="and the hash that it has there")
    chosen = parser.parse_args(arguments)
    if len({chosen.expect_version is None, chosen.expect_hash is None}) != 1:
        parser.error("--expect-version and --expect-hash belong together")
    if chosen.expect_hash and chosen.pool is None:
        parser.error("--expect-version needs --pool")
    expected = {chosen.pool: {chosen.expect_version: {chosen.expect_hash}}} if chosen.expect_hash else {}
    try:
        with open(chosen.export, encoding="utf-8") as lines:  # noqa: PTH123  # nothing that is not needed
            found = verify((each for each in read_lines(lines) if chosen.pool in (None, each["pool"])), expected)
    except (OSError, UnicodeDecodeError, NoLedgerError) as error:
        sys.stderr.write(f"audit_verify.py: {chosen.export}: {error}\n")
        return 2
    if not any(ledger.version for ledger in found):
        sys.stderr.write(f"audit_verify.py: {chosen.export} has no transfers of {chosen.pool or 'any pool'}\n")
        return 2
    sys.stdout.write("\n".join(report(found)) + "\n")
    return 1 if any(ledger.faults for ledger in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
