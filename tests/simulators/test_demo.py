"""The demonstration on the real stack: its checks hold though a service dies or finance lies, and it tells so."""

import asyncio
import io
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from rich.console import Console

from stack.config import Config, Ports
from stack.demo import Place, call_of, play, tokens_of
from stack.home import open_home
from stack.manners import Manner, behaving
from stack.report import Report
from stack.show import show
from stack.simulators import wishes
from stack.supervisor import Stack

COMPANIES = 50
TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()
OTHERS = sum(len(of(1, TODAY)) for of in (wishes.communities, wishes.competitors, wishes.others))
DEADLINE_SECONDS = 60.0


@asynccontextmanager
async def running(manner: Manner, **environment: str) -> AsyncIterator[Stack]:
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-test-")))
    config = Config(home=home, ports=Ports.free(), environment={**os.environ, **environment})
    async with Stack(behaving(config, manner)) as stack:
        yield stack
    shutil.rmtree(home.path)


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    async with running(Manner.USUAL) as stack:
        yield stack


@pytest.fixture
async def lying() -> AsyncIterator[Stack]:
    """Finance at its worst, and so often wrong that all of it happens in a small season."""
    often = {
        "SIM_CONTRADICTIONS": "1",
        "SIM_RETURNED": "0.5",
        "SIM_REJECTED": "0.1",
        "SIM_CANCELLED": "0.3",
        "SIM_REORDER_SECONDS": "4",
    }
    async with running(Manner.WORST, **often) as stack:
        yield stack


def place(stack: Stack) -> Place:
    return Place(stack.urls, stack.kafka_bootstrap, tokens_of(stack.config.home), call=call_of(stack.config))


async def first_award(stack: Stack) -> None:
    """Return once disbursement shows an award: applications, claims and payments are then all under way."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    token = tokens_of(stack.config.home)("auditor", "auditor")
    async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        while not (await client.get(f"{stack.urls['disbursement']}/v1/awards")).json()["items"]:
            assert time.monotonic() < deadline, "no award within the deadline"
            await asyncio.sleep(0.02)


def shown(ended: Report) -> str:
    told = Console(record=True, width=150, file=io.StringIO())
    show(told, ended)
    return told.export_text()


async def test_the_books_balance_though_disbursement_dies_in_the_middle(stack: Stack) -> None:
    console = Console(quiet=True)
    season = asyncio.create_task(play(place(stack), COMPANIES, 1, console))
    await first_award(stack)
    stack.kill("disbursement")
    ended = await season

    text = shown(ended)
    assert ended.passed, text
    assert stack.components["disbursement"].restarts == 1
    assert f"{len(ended.results)} of {len(ended.results)} checks hold" in text
    counts = {(subject, outcome): 0 for subject, outcome, _ in ended.outcomes}
    for (subject, outcome, _), count in ended.outcomes.items():
        counts[subject, outcome] += count
    assert sum(count for (subject, _), count in counts.items() if subject == "application") == COMPANIES + OTHERS
    assert counts["application", "awarded"] > COMPANIES / 2
    assert counts["claim", "paid"] > 0


async def test_the_ledger_is_the_banks_though_finance_is_at_its_worst_and_dies(lying: Stack) -> None:
    season = asyncio.create_task(play(place(lying), COMPANIES, 1, Console(quiet=True)))
    await first_award(lying)
    lying.kill("finance")
    ended = await season

    assert ended.passed, shown(ended)
    evidence = ended.evidence
    said = {report.says for entry in evidence.bank for report in entry.reports}
    assert said >= {"truth", "again", "returned", "settled", "other_amount", "other_name", "unknown_payment"}
    assert {payment.status for payment in evidence.payments} == {"settled", "cancelled"}
    assert max(payment.attempt for payment in evidence.payments) > 1
    assert evidence.discrepancies
