"""The drill itself: a season, a disaster in its middle, the way back, and what each stretch took."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import httpx
from rich.console import Console

from contracts.events import PaymentInstructed, TransferPosted
from stack import events
from stack.archive import Archive
from stack.config import Config, Ports
from stack.demo import Place, call_of, play, tokens_of
from stack.events import Signature
from stack.home import open_home
from stack.report import Report
from stack.restore import Restore, Restored
from stack.simulators.reading import read_topics
from stack.supervisor import Stack

SERVICE: Final = "disbursement"
_READY_SECONDS: Final = 120.0
_AGAIN_SECONDS: Final = 0.05
LOST_SECONDS: Final = 60.0
_SIGNED: Final = Signature("drill", "the database was dropped and restored")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What the drill came to. ``lost`` transfers were published and are not in the ledger; times in seconds.

    ``report`` is None where the season did not end. ``paid_twice`` counts the claims that the bank paid under
    two payments, ``said`` the differences that each command names which compares the books.
    """

    report: Report | None
    restored: Restored
    paid_twice: int
    said: dict[str, int]
    published_before: int
    lost: list[str]
    resent: int
    away_seconds: float
    seconds: float

    @property
    def passed(self) -> bool:
        return self.report is not None and self.report.passed and not self.lost and not self.paid_twice


async def drill(companies: int, seed: int, settled: int, lose_seconds: float, tell: Tell) -> Outcome:
    """Play a season, destroy the database once ``settled`` payments are settled, restore it, go on to the end."""
    began = time.monotonic()
    async with archived(seed) as stack:
        tell("a season begins; PostgreSQL's log is archived as it is written")
        season = asyncio.create_task(play(_place(stack), companies, seed, Console(quiet=True)))
        await _until_settled(stack, settled, season)
        lost_at, moment = time.monotonic(), datetime.now(UTC)
        await _drop(stack)
        tell(f"{SERVICE}'s database is dropped, with at least {settled} payments settled and others on their way")
        published = await _transfers(stack)
        restored = await _restore(stack, moment - timedelta(seconds=lose_seconds) if lose_seconds else None, tell)
        await _until_ready(stack)
        away = time.monotonic() - lost_at
        tell(f"{SERVICE} is back after {away:.1f} s, of which the restore took {restored.seconds} s: {restored.until}")
        resent = await _fill_topics(stack, moment)
        tell(f"{resent} events of all outboxes were published again: whoever has handled one drops it")
        report = await _ended(season, LOST_SECONDS if lose_seconds else None)
        lost, twice = await _lost(stack, published), await _paid_twice(stack)
        said = {name: await _differences(stack, name) for name in ("reconcile", "audit verify")}
    return Outcome(
        report=report,
        restored=restored,
        paid_twice=twice,
        said=said,
        published_before=len(published),
        lost=lost,
        resent=resent,
        away_seconds=round(away, 1),
        seconds=round(time.monotonic() - began, 1),
    )


async def _ended(season: "asyncio.Task[Report]", seconds: float | None) -> Report | None:
    """What the season came to; None where it is not over after so long: it waits for what was lost."""
    done, _ = await asyncio.wait({season}, timeout=seconds)
    if done:
        return season.result()
    season.cancel()
    await asyncio.wait({season})
    return None


@asynccontextmanager
async def archived(seed: int) -> AsyncIterator[Stack]:
    """A stack with an archive, in a directory of its own."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-restore-")))
    config = Config(
        home=home, ports=Ports.free(), seed=seed, archive=home.path / "archive", environment=dict(os.environ)
    )
    async with Stack(config) as stack:
        yield stack
    shutil.rmtree(home.path)


def _place(stack: Stack) -> Place:
    return Place(stack.urls, stack.kafka_bootstrap, tokens_of(stack.config.home), call=call_of(stack.config))


async def _until_settled(stack: Stack, count: int, season: "asyncio.Task[Report]") -> None:
    """Wait until the ledger has so many settled payments; the season has to be under way still."""
    query = "SELECT count(*) FROM payments WHERE status = 'settled'"
    connection = await asyncpg.connect(stack.postgres.superuser_dsn(SERVICE))
    try:
        while await connection.fetchval(query) < count:
            assert not season.done(), f"the season ended before {count} payments were settled: fewer, or more companies"
            await asyncio.sleep(_AGAIN_SECONDS)
    finally:
        await connection.close()


async def _drop(stack: Stack) -> None:
    superuser = await asyncpg.connect(stack.postgres.superuser_dsn())
    try:
        await superuser.execute(f"DROP DATABASE {SERVICE} WITH (FORCE)")
    finally:
        await superuser.close()


async def _restore(stack: Stack, until: datetime | None, tell: Tell) -> Restored:
    assert stack.config.archive is not None
    restore = Restore(stack.config.home, Archive(stack.config.archive), stack.postgres, tell)
    return await restore.run(SERVICE, until)


async def _until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while (await client.get(f"{stack.urls[SERVICE]}/health/ready")).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, f"{SERVICE} is not ready again: see its log in {stack.config.home.logs}"
            await asyncio.sleep(_AGAIN_SECONDS)


async def _fill_topics(stack: Stack, moment: datetime) -> int:
    """Have every service publish its outbox again, from well before the loss on: the runbook's step for lost topics."""

    def resend() -> int:
        since, home = moment - timedelta(hours=1), stack.config.home
        return sum(
            events.resend(home, service, since, _SIGNED, dry_run=False)["events"] for service in events.services(None)
        )

    return await asyncio.to_thread(resend)


async def _transfers(stack: Stack) -> dict[tuple[str, int], str]:
    """The hash of each transfer that was published, by pool and version."""
    records = await read_topics(stack.kafka_bootstrap, "disbursement.ledger")
    posted = [record.event for record in records if isinstance(record.event, TransferPosted)]
    return {(event.pool, event.version): event.hash for event in posted}


async def _lost(stack: Stack, published: dict[tuple[str, int], str]) -> list[str]:
    """Which of these the ledger does not have, or has with another content."""
    connection = await asyncpg.connect(stack.postgres.superuser_dsn(SERVICE))
    try:
        rows = await connection.fetch("SELECT pool, version, hash FROM transfers")
    finally:
        await connection.close()
    kept = {(row["pool"], row["version"]): _hex(row["hash"]) for row in rows}
    return [f"{pool} {version}" for (pool, version), hash_ in published.items() if kept.get((pool, version)) != hash_]


async def _paid_twice(stack: Stack) -> int:
    """How many claims the bank settled under more than one payment."""
    records = await read_topics(stack.kafka_bootstrap, "disbursement.payments")
    claim_of = {
        str(record.event.payment_id): record.event.claim_id
        for record in records
        if isinstance(record.event, PaymentInstructed)
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{stack.urls['finance']}/v1/log")
        entries = answer.raise_for_status().json()["items"]
    settled = {each["payment_id"] for each in entries if each["outcome"] == "settled"}
    paid = Counter(claim_of[payment] for payment in settled)
    return sum(count > 1 for count in paid.values())


async def _differences(stack: Stack, command: str) -> int:
    """How many lines with a fault a `drawdown` command names: of `--json`, the differences, or the ledgers' faults."""
    environment = {**os.environ, "DRAWDOWN_HOME": str(stack.config.home.path)}
    argv = [sys.executable, "-c", "from stack.cli import main; main()", *command.split(), "--json"]
    asked = await asyncio.create_subprocess_exec(*argv, env=environment, stdout=asyncio.subprocess.PIPE)
    printed, _ = await asked.communicate()
    found = json.loads(printed)
    return len(found["differences"]) if isinstance(found, dict) else sum(len(each["faults"]) for each in found)


def _hex(stored: bytes | str) -> str:
    return stored.hex() if isinstance(stored, bytes) else stored
