"""The figures are built again from the topics: beside the projection that serves, and after its database was lost.

On a system of its own, where nothing moves while figures are compared.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from stack import apps, issuer
from stack.migrate import migrate
from stack.supervisor import Stack
from tests.journeys.conftest import running
from tests.journeys.test_books import drawdown, paid_voucher
from tests.journeys.traveller import Traveller
from tests.kit.collector import Collector
from tests.kit.conftest import eventually


@pytest.fixture(scope="module")
async def system(collector: Collector) -> AsyncIterator[Stack]:
    async with running(collector) as stack:
        yield stack


POOL = "ai-package-2025"
MONEY = ("drawdown_pool_", "drawdown_scheme_balance_yuan", "drawdown_disbursed_yuan", "drawdown_applications")


async def figures(traveller: Traveller) -> set[str]:
    """Return what the public, portals and Prometheus are shown, to the fen, an item each.

    Without forecasts, which move by themselves, and zeros: a state in which nobody is any more, or in which nobody was.
    """
    pools = (await traveller.get("metrics", "/v1/pools"))["items"]
    by = [await traveller.get("metrics", f"/v1/pools/{POOL}/drawdown", by=by) for by in ("scheme", "district", "month")]
    told = (await traveller.client.get(f"{traveller.system.urls['metrics']}/metrics")).text.splitlines()
    gauges = {
        line for line in told if line.startswith(MONEY) and "exhaustion" not in line and not line.endswith(" 0.0")
    }
    return gauges | {json.dumps(item) for item in [*pools, *(item for each in by for item in each["items"])]}


async def settled(traveller: Traveller) -> set[str]:
    """Return the figures once metrics has read all that there is, and shows the ledger's pools."""
    system = traveller.system
    headers = issuer.at_hand(system.config.home, "ops")

    async def agree() -> bool:
        lag = await traveller.client.get(f"{system.urls['metrics']}/admin/lag", headers=headers)
        shown = (await traveller.get("metrics", "/v1/pools"))["items"]
        return lag.json()["lag"] == 0 and await traveller.pool() in [states(each) for each in shown]

    await eventually(agree)
    return await figures(traveller)


def states(pool: dict[str, Any]) -> dict[str, int]:
    """Return a pool's amounts in fen, as the traveller has the ledger's."""
    return {name: pool[name]["amount"] for name in ("appropriated", "available", "committed", "obligated", "disbursed")}


@asynccontextmanager
async def asked_all_the_time(traveller: Traveller) -> AsyncIterator[list[int]]:
    """Ask for the pools again and again meanwhile; the answers' status codes."""
    seen: list[int] = []

    async def ask() -> None:
        while True:
            seen.append((await traveller.client.get(f"{traveller.system.urls['metrics']}/v1/pools")).status_code)
            await asyncio.sleep(0.1)

    asking = asyncio.create_task(ask())
    try:
        yield seen
    finally:
        asking.cancel()
        await asyncio.wait({asking})


async def test_a_projection_is_built_again_beside_the_one_that_serves(traveller: Traveller) -> None:
    await paid_voucher(traveller, 41)
    before = await settled(traveller)
    async with asked_all_the_time(traveller) as answers:
        done = await drawdown(traveller.system, "events", "replay", "metrics", "--json")
    assert (done.returncode, json.loads(done.stdout)["same"]) == (0, True), done.stderr
    assert set(answers) == {200}
    assert await figures(traveller) ^ before == set()

    done = await drawdown(traveller.system, "events", "replay", "metrics", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["swapped"]) == (0, True), done.stderr
    assert await settled(traveller) ^ before == set()
    await paid_voucher(traveller, 42)
    assert await settled(traveller) != before


async def test_a_service_whose_database_was_dropped_shows_the_same_figures_again(traveller: Traveller) -> None:
    system = traveller.system
    await paid_voucher(traveller, 43)
    before = await settled(traveller)
    await system.restart("metrics", lambda: lose_database(system))
    assert await settled(traveller) ^ before == set()


async def lose_database(system: Stack) -> None:
    superuser = await asyncpg.connect(system.postgres.superuser_dsn())
    await superuser.execute("DROP DATABASE metrics WITH (FORCE)")
    await superuser.close()
    await system.postgres.provision()
    [app] = [
        app for app in apps.services(system.config, system.postgres, system.kafka_bootstrap) if app.name == "metrics"
    ]
    assert app.migration is not None
    await migrate(app.migration)
