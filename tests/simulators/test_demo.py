"""The demonstration on the real stack: its checks hold though a service dies in the middle, and it tells so."""

import asyncio
import io
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from stack.config import Config, Ports
from stack.demo import Place, play
from stack.home import open_home
from stack.show import show
from stack.supervisor import Stack

COMPANIES = 50
DEADLINE_SECONDS = 60.0


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-test-")))
    async with Stack(Config(home=home, ports=Ports.free())) as running:
        yield running
    shutil.rmtree(home.path)


async def first_award(stack: Stack) -> None:
    """Return once disbursement shows an award: applications, claims and payments are then all under way."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while not (await client.get(f"{stack.urls['disbursement']}/v1/awards")).json()["items"]:
            assert time.monotonic() < deadline, "no award within the deadline"
            await asyncio.sleep(0.02)


async def test_the_books_balance_though_disbursement_dies_in_the_middle(stack: Stack) -> None:
    console = Console(quiet=True)
    season = asyncio.create_task(play(Place(stack.urls, stack.kafka_bootstrap), COMPANIES, 1, console))
    await first_award(stack)
    stack.kill("disbursement")
    ended = await season

    told = Console(record=True, width=150, file=io.StringIO())
    show(told, ended)
    text = told.export_text()
    assert ended.passed, text
    assert stack.components["disbursement"].restarts == 1
    assert f"{len(ended.results)} of {len(ended.results)} checks hold" in text
    counts = {(subject, outcome): 0 for subject, outcome, _ in ended.outcomes}
    for (subject, outcome, _), count in ended.outcomes.items():
        counts[subject, outcome] += count
    assert sum(count for (subject, _), count in counts.items() if subject == "application") == COMPANIES
    assert counts["application", "awarded"] > COMPANIES / 2
    assert counts["claim", "paid"] > 0
