"""The auditor's one file, run as an auditor runs it: alone, on a bare interpreter, on an export."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.chain import GENESIS, transfer_hash
from stack import audit_verify

FILE = Path(audit_verify.__file__)
POOL = "ai-package-2025"
AWARD = {"application_id": "a1", "award_id": "w1"}
PAYMENT = {**AWARD, "claim_id": "c1", "payment_id": "p1"}
LIFE: list[tuple[str, str, int, str, dict[str, str]]] = [
    ("appropriated", "available", 1000, "pool.opened", {}),
    ("available", "committed", 600, "award.issued", AWARD),
    ("committed", "obligated", 200, "claim.payable", PAYMENT),
    ("committed", "obligated", 100, "claim.payable", {**PAYMENT, "claim_id": "c2", "payment_id": "p2"}),
    ("committed", "available", 300, "award.expired", AWARD),
    ("obligated", "committed", 100, "payment.cancelled", {**PAYMENT, "claim_id": "c2", "payment_id": "p2"}),
    ("committed", "available", 100, "award.expired", AWARD),
    ("obligated", "disbursed", 200, "payment.settled", PAYMENT),
    ("disbursed", "available", 30, "recovery.received", {**AWARD, "recovery_id": "r1"}),
    ("disbursed", "available", 20, "recovery.received", {**AWARD, "recovery_id": "r1"}),
    ("available", "appropriated", 50, "appropriation.set", {"order_id": "o1"}),
]
TWICE = ("available", "committed", 1, "award.issued", AWARD)

Transfers = list[dict[str, Any]]


def transfers(life: list[Any] = LIFE, pool: str = POOL) -> Transfers:
    """Return the transfers of a life as they are published."""
    balances = dict.fromkeys(("available", "committed", "obligated", "disbursed"), 0)
    posted: Transfers = []
    for version, (source, target, amount, reason, ids) in enumerate(life, start=1):
        for state, change in ((source, -amount), (target, amount)):
            if state in balances:
                balances[state] += change
        posted.append(
            {
                "transfer_id": str(UUID(int=version)),
                "pool": pool,
                "version": version,
                "district": "南山",
                "from": source,
                "to": target,
                "money": {"amount": amount, "currency": "CNY"},
                "reason": reason,
                **dict.fromkeys(("claim_id", "payment_id", "recovery_id", "order_id")),
                **ids,
                "balances": dict(balances),
            }
        )
    return chained(posted)


def chained(posted: Transfers) -> Transfers:
    """Give transfers the hashes that they have to have: as somebody does who forges a ledger with care."""
    previous = GENESIS
    for transfer in posted:
        transfer["previous_hash"] = previous
        transfer["hash"] = previous = transfer_hash(transfer)
    return posted


def money(amount: int, currency: str = "CNY") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def changed(version: int, *, seal: bool = False, **fields: Any) -> Transfers:
    posted = transfers()
    posted[version - 1] |= fields
    return chained(posted) if seal else posted


def lines_of(posted: Transfers) -> list[str]:
    return [json.dumps(transfer, ensure_ascii=False) for transfer in posted]


def run(folder: Path, lines: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the file by itself: no site packages, no environment, nothing of ours to import."""
    (folder / "audit_verify.py").write_bytes(FILE.read_bytes())
    (folder / "export.jsonl").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "audit_verify.py", "export.jsonl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_a_right_export_is_intact(tmp_path: Path) -> None:
    other = transfers(LIFE[:3], pool="other")
    done = run(tmp_path, [*lines_of(transfers()), "", *lines_of(other)])

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{POOL}: 11 transfers, intact; the last has the hash {transfers()[-1]['hash']}" in done.stdout
    assert "other: 3 transfers, intact" in done.stdout


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: changed(2, money=money(599)), "000000000002): was changed"),
        (lambda: [*transfers()[:4], *transfers()[5:]], "follows version 4"),
        (lambda: [*transfers()[:4], transfers()[5], transfers()[4], *transfers()[6:]], "does not carry the hash"),
        (lambda: [*transfers()[:3], *transfers()[2:]], "follows version 3"),
        (lambda: changed(2, seal=True, money=money(599)), "the one before it and its move make"),
        (lambda: changed(2, seal=True, to="disbursed"), "600 CNY from available to disbursed is no move"),
        (lambda: changed(3, seal=True, money=money(0)), "0 CNY from committed to obligated"),
        (lambda: changed(3, seal=True, money=money(200, "USD")), "200 USD"),
        (lambda: transfers([LIFE[0], ("available", "committed", 1001, "award.issued", AWARD)]), "below zero"),
        (lambda: changed(8, seal=True, award_id="w2"), "takes 200 fen more from obligated than award w2 has"),
        (lambda: transfers([*LIFE[:2], TWICE]), "posts award.issued a1 again, as version 2 did"),
        (lambda: transfers([*LIFE[:5], LIFE[6]]), "posts award.expired w1 again"),
        (lambda: changed(10, seal=True, transfer_id=str(UUID(int=9))), "again, as version 9 did"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, spoil: Callable[[], Transfers], says: str) -> None:
    done = run(tmp_path, lines_of(spoil()))

    assert done.returncode == 1
    assert says in done.stdout
    assert "BROKEN" in done.stdout


def test_a_ledger_that_was_cut_or_replaced_differs_from_a_copy_kept_elsewhere(tmp_path: Path) -> None:
    known = ("--pool", POOL, "--expect-version", "11", "--expect-hash", transfers()[-1]["hash"])
    assert run(tmp_path, lines_of(transfers()), *known).returncode == 0

    cut = run(tmp_path, lines_of(transfers()[:10]), *known)
    replaced = run(tmp_path, lines_of(changed(1, seal=True, district="福田")), *known)

    assert (cut.returncode, "ends at version 10; elsewhere version 11 is known" in cut.stdout) == (1, True)
    assert (replaced.returncode, f"elsewhere it has {known[-1]}" in replaced.stdout) == (1, True)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda line: "", "has no transfers"),
        (lambda line: line[:-1], "line 1 is no transfer"),
        (lambda line: "[]", "it is no object"),
        (lambda line: line.replace('"version": 1', '"version": 1.0'), "1.0 is no whole number"),
        (lambda line: line.replace('"version": 1', '"version": true'), "version is missing, or no int"),
        (lambda line: line.replace('"version": 1', '"version": 1, "version": 1'), "a name stands in it twice"),
        (lambda line: line.replace('"amount": 1000', '"amount": NaN'), "NaN is no whole number"),
        (lambda line: line.replace('"available": 1000', '"available": "1000"'), "balances.available is missing"),
    ],
)
def test_what_is_no_export_is_one_line(tmp_path: Path, spoil: Callable[[str], str], says: str) -> None:
    done = run(tmp_path, [spoil(lines_of(transfers())[0])])

    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (2, 1, "")
    assert says in done.stderr


def test_a_copy_is_compared_by_version_hash_and_pool_together(tmp_path: Path) -> None:
    assert run(tmp_path, [], "--expect-version", "1").returncode == 2
    assert "needs --pool" in run(tmp_path, [], "--expect-version", "1", "--expect-hash", GENESIS).stderr
    assert run(tmp_path, lines_of(transfers()), "--pool", "nobody's").returncode == 2


def test_half_a_surrogate_pair_is_a_changed_text_and_no_crash(tmp_path: Path) -> None:
    [first, *rest] = lines_of(transfers())

    assert run(tmp_path, [first.replace("南山", "\\ud800"), *rest]).returncode == 1


def test_many_faults_are_counted(tmp_path: Path) -> None:
    done = run(tmp_path, lines_of([{**transfer, "district": "x"} for transfer in transfers() * 3]))

    assert "and " in done.stdout.splitlines()[-1]
    assert len(done.stdout.splitlines()) == audit_verify.FAULTS_SHOWN + 2
