"""The books as an operator and an auditor look at them, on the whole system: in order, spoilt, mended, resumed."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from benchmarks.lifecycle.standing import standing
from stack import audit_verify, issuer
from stack.simulators.population import Role
from stack.supervisor import Stack
from tests.journeys.traveller import Traveller
from tests.kit.conftest import eventually

POOL = "ai-package-2025"
HUNG_SECONDS = 300  # 4 s alone; a rebuild took 78 s beside 24 processes that never rest, on two cores
DRAWDOWN = (sys.executable, "-c", "from stack.cli import main; main()")


async def drawdown(system: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator elsewhere does: it is told where each service is."""
    places = {f"DRAWDOWN_{name.upper()}_URL": url for name, url in system.urls.items()}
    return await asyncio.to_thread(
        subprocess.run,
        [*DRAWDOWN, *arguments],
        env={**os.environ, **places, "DRAWDOWN_HOME": str(system.config.home.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HUNG_SECONDS,
    )


async def differing(system: Stack) -> dict[str, list[str]]:
    """Return what `drawdown reconcile` says, by check; its exit code says the same."""
    done = await drawdown(system, "reconcile", "--json")
    found = json.loads(done.stdout)["differences"]
    assert done.returncode == (1 if found else 0), done.stderr
    return {each["check"]: each["detail"] for each in found}


async def execute(system: Stack, database: str, statement: str) -> None:
    connection = await asyncpg.connect(system.postgres.superuser_dsn(database))
    await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def spoilt(system: Stack, database: str, statement: str, mended: str) -> AsyncIterator[None]:
    await execute(system, database, statement)
    try:
        yield
    finally:
        await execute(system, database, mended)


async def paid_voucher(traveller: Traveller, number: int) -> dict[str, Any]:
    asked = traveller.ask_of(Role.ORDINARY, number)
    state = await traveller.until_status(await traveller.apply(asked), "awarded")
    await traveller.claim(state, asked.amount // 3, f"{asked.contract.number}-1")
    return await traveller.until_claims_end(state)


async def test_an_auditor_verifies_the_ledger_as_it_runs_and_from_an_export(
    traveller: Traveller, tmp_path: Path
) -> None:
    await paid_voucher(traveller, 10)
    live = await drawdown(traveller.system, "audit", "verify", "--json")
    assert (live.returncode, live.stderr) == (0, "")
    [pool] = [each for each in json.loads(live.stdout) if each["pool"] == POOL]
    assert {name: pool[name] for name in ("appropriated", "available")}.items() <= (await traveller.pool()).items()

    export = tmp_path / "export.jsonl"
    assert (await drawdown(traveller.system, "audit", "export", "-o", str(export))).returncode == 0
    expected = ("--pool", POOL, "--expect-version", str(pool["version"]), "--expect-hash", pool["hash"])
    offline = await drawdown(traveller.system, "audit", "verify", str(export), *expected)
    alone = [sys.executable, "-I", "-S", str(audit_verify.__file__), str(export), *expected]
    bare = await asyncio.to_thread(subprocess.run, alone, capture_output=True, text=True, check=False)
    assert (offline.returncode, bare.returncode) == (0, 0), offline.stderr + bare.stderr
    assert offline.stdout == bare.stdout

    export.write_text(export.read_text(encoding="utf-8").replace('"amount":', '"amount":1', 1), encoding="utf-8")
    broken = await drawdown(traveller.system, "audit", "verify", str(export))
    assert (broken.returncode, "was changed: its content does not have its hash" in broken.stdout) == (1, True)


async def test_nothing_differs_after_a_life(traveller: Traveller) -> None:
    await paid_voucher(traveller, 11)

    async def agrees() -> bool:
        return await differing(traveller.system) == {}

    await eventually(agrees)
    done = await drawdown(traveller.system, "reconcile")
    assert (done.returncode, "nothing differs" in done.stdout) == (0, True)


async def test_metrics_that_show_something_else_than_the_ledger_are_named(traveller: Traveller) -> None:
    await paid_voucher(traveller, 12)
    spoil = "UPDATE pools SET committed = committed {} 5, available = available {} 5 WHERE pool = 'ai-package-2025'"
    async with spoilt(traveller.system, "metrics", spoil.format("+", "-"), spoil.format("-", "+")):
        said = await differing(traveller.system)
    assert set(said) == {"metrics"}


async def test_a_spoilt_cap_stops_awards_until_it_is_mended_and_two_persons_resume(traveller: Traveller) -> None:
    system = traveller.system
    await paid_voucher(traveller, 14)
    spoil = "UPDATE caps SET granted = granted {} 5 WHERE holder = (SELECT min(holder) FROM caps)"

    async def is_told() -> bool:
        return "awards" in await differing(system)

    async def agrees() -> bool:
        return await differing(system) == {}

    async with spoilt(system, "disbursement", spoil.format("+"), spoil.format("-")):
        await eventually(is_told)
        waiting = await traveller.until_status(await traveller.apply(traveller.ask_of(Role.ORDINARY, 13)), "waitlisted")
        assert waiting["waiting_for"]["on_hold"] is True
        early = await _order(traveller, "anna", "/v1/orders", {"kind": "pool.resume", "pool": POOL})
        assert (early["status"], early["code"]) == (409, "books_differ")
    await eventually(agrees)

    await resume(traveller)
    await traveller.until_status(waiting, "awarded")
    await eventually(agrees)


async def resume(traveller: Traveller) -> None:
    """Take the pool off its hold, as two officers."""
    order = await _order(traveller, "anna", "/v1/orders", {"kind": "pool.resume", "pool": POOL})
    done = await _order(traveller, "bea", f"/v1/orders/{order['order_id']}/approval", None)
    assert done["status"] == "executed", done


async def _order(traveller: Traveller, who: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """Call disbursement as an officer of finance."""
    token = issuer.mint(traveller.system.config.home, subject=who, scopes=["finance"], lifetime=timedelta(minutes=5))
    headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4()), "accept-language": "en"}
    sent = body and {**body, "reason": "OPS-7: the balance was put right"}
    answer = await traveller.client.post(f"{traveller.system.urls['disbursement']}{path}", json=sent, headers=headers)
    found: dict[str, Any] = answer.json()
    return found


async def test_whoever_waits_for_lives_in_vain_is_told_where_they_stand(traveller: Traveller) -> None:
    await paid_voucher(traveller, 15)
    told = await standing(traveller.system)
    for part in (
        r"intake has [^;]*\d+ paid\b[^;]* claims",
        r"eligibility has [^;]*\d+ decided\b[^;]* assessments",
        r"disbursement has [^;]*\d+ settled\b[^;]* payments",
    ):
        assert re.search(part, told), told
