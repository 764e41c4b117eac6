"""A real Alertmanager with our configuration: what is silent while something larger is wrong, and how it groups."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.deploy import servers
from tests.deploy.servers import Server
from tests.deploy.watching import PROMETHEUS, alerts

Labels = dict[str, str]


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Server]:
    async with servers.alertmanager(tmp_path, PROMETHEUS / "alertmanager.yml") as found:
        yield found


async def fire(manager: Server, *firing: Labels) -> None:
    said = [{"alertname": each["alertname"], **alerts()[each["alertname"]]["labels"], **each} for each in firing]
    await manager.post("/api/v2/alerts", [{"labels": {k: v for k, v in each.items() if "{" not in v}} for each in said])


async def silent(manager: Server) -> set[tuple[str, str]]:
    """Return which alerts are held back, by name and by what they are about."""
    found = await manager.get("/api/v2/alerts")
    return {
        (each["labels"]["alertname"], each["labels"].get("service") or each["labels"].get("pool", ""))
        for each in found
        if each["status"]["inhibitedBy"]
    }


async def test_brokers_that_are_down_silence_what_only_follows_from_it(manager: Server) -> None:
    lagging = ({"alertname": name, "service": "intake"} for name in ("ConsumerLagging", "OutboxOld"))
    await fire(manager, {"alertname": "BrokersDown"}, *lagging, {"alertname": "LedgerImbalance", "pool": "p"})
    assert await silent(manager) == {("ConsumerLagging", "intake"), ("OutboxOld", "intake")}


async def test_a_service_that_is_down_silences_its_own_lag_and_nobody_elses(manager: Server) -> None:
    lagging = ({"alertname": "ConsumerStalled", "service": service} for service in ("intake", "eligibility"))
    await fire(manager, {"alertname": "ServiceDown", "service": "intake"}, *lagging, {"alertname": "EventsParked"})
    assert await silent(manager) == {("ConsumerStalled", "intake")}


async def test_a_pool_above_95_percent_is_told_once(manager: Server) -> None:
    above = ({"alertname": "PoolAbove80Percent", "pool": pool} for pool in ("p", "q"))
    await fire(manager, {"alertname": "PoolAbove95Percent", "pool": "p"}, *above)
    assert await silent(manager) == {("PoolAbove80Percent", "p")}


async def test_the_fastest_burn_of_a_budget_is_told(manager: Server) -> None:
    burning = ("ErrorBudgetBurnsFast", "ErrorBudgetBurns", "ErrorBudgetBurnsSlowly")
    await fire(manager, *({"alertname": name, "slo": "decision", "service": "eligibility"} for name in burning))
    assert await silent(manager) == {(name, "eligibility") for name in burning[1:]}


async def test_alerts_come_grouped_by_pool_and_service_to_who_is_meant(manager: Server) -> None:
    pools = ({"alertname": "LedgerImbalance", "pool": "p"}, {"alertname": "LedgerChainBroken", "pool": "p"})
    await fire(
        manager, *pools, {"alertname": "OutboxOld", "service": "intake"}, {"alertname": "DrawdownSlow", "pool": "q"}
    )
    groups = await manager.get("/api/v2/alerts/groups")
    found = [(group["receiver"]["name"], group["labels"], len(group["alerts"])) for group in groups]
    assert sorted(found, key=str) == sorted(
        [("page", {"pool": "p"}, 2), ("page", {"service": "intake"}, 1), ("ticket", {"pool": "q"}, 1)], key=str
    )
