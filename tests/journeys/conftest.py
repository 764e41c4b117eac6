"""The journeys run on the whole system: real Kafka, real PostgreSQL, the four services and the outside parties."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.lifecycle import theirs
from benchmarks.lifecycle.bank import Bank
from benchmarks.lifecycle.theirs import Monolith
from stack.config import Config, Ports
from stack.demo import tokens_of
from stack.home import open_home
from stack.supervisor import Stack
from tests.journeys.traveller import Place, Traveller, Walker
from tests.kit.collector import Collector


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the services send the spans of those requests whose caller asks for it."""
    with Collector() as found:
        yield found


@asynccontextmanager
async def running(collector: Collector) -> AsyncIterator[Stack]:
    """Run a whole system in a directory of its own."""
    path = Path(tempfile.mkdtemp(prefix="drawdown-journeys-"))
    eager = {
        "DISBURSEMENT_RECONCILE_EVERY_SECONDS": "1",
        "DISBURSEMENT_RECONCILE_SUMS_EVERY_SECONDS": "1",
        "METRICS_LAG_POLL_SECONDS": "1",
        "ELIGIBILITY_REGISTER_ANSWER_AGE_SECONDS": "0",  # an outage is one, whatever was asked a moment ago
    }
    certain = {"SIM_RETURNED": "0", "SIM_REJECTED": "0"}  # an ordinary life is paid at once, to the account it named
    traced = {**collector.environment, "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    config = Config(home=open_home(path), ports=Ports.free(), environment={**os.environ, **eager, **certain, **traced})
    async with Stack(config) as stack:
        yield stack
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def system(collector: Collector) -> AsyncIterator[Stack]:
    """The system that the journeys share: what one of them began may still move while the next one walks."""
    async with running(collector) as stack:
        yield stack


@pytest.fixture
async def traveller(system: Stack) -> AsyncIterator[Traveller]:
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
        yield Traveller(system, client)


@pytest.fixture(scope="module")
async def monolith(system: Stack) -> AsyncIterator[Monolith]:
    """The synchronous monolith that Drawdown is measured beside, with a bank of its own.

    It lives no longer than who needs it: the bank waits for answers by the clock, and tests of other modules hold the
    loop for minutes.
    """
    await theirs.create_database(system)
    async with Monolith.running(system, 2, {"REGISTER_ANSWER_AGE_SECONDS": "0"}) as running:
        bank = await Bank.by_http(running.servers[0].address, tokens_of(system.config.home)("finance", "finance"))
        yield running
        await bank.close()


@pytest.fixture(params=["drawdown", "synchronous"])
async def anywhere(request: pytest.FixtureRequest, system: Stack, monolith: Monolith) -> AsyncIterator[Walker]:
    """Somebody who walks in Drawdown, and in the monolith."""
    places: dict[str, Place] = {"drawdown": system, "synchronous": monolith}
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
        yield Walker(places[request.param], client)
