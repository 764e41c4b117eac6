"""A real Prometheus scrapes the whole system: every rule evaluates, the boards have figures, the right alert fires.

The configuration is the local one, in a hurry: its targets on this system's ports, every rule each second, and no
alert waits before it fires.
"""

import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import yaml

from contracts.topics import SERVICES
from stack.supervisor import Stack
from tests.deploy import boards, servers, watching
from tests.deploy.boards import Asked
from tests.deploy.servers import Server
from tests.journeys.test_books import POOL, paid_voucher, resume, spoilt
from tests.journeys.traveller import Traveller
from tests.kit.conftest import eventually

SCRAPE_SECONDS: Final = 3
PATIENCE_SECONDS: Final = 90
POOLS: Final = {POOL, "ai-robotics-fund", "ai-terminal-fund"}
# What only time brings: a trend, a sum over a window that has begun a moment ago.
NEEDS_TIME: Final = re.compile(r"pool:(pace|exhaustion|moved)_.*|.*:(increase|ratio)(30m|1h|6h|1d|3d)")
# What a reader has chosen on the boards: everything, where that can be chosen.
CHOSEN: Final = {"pool": POOL, "service": ".*", "scheme": ".*", "group": ".*"}
NEEDS_TROUBLE: Final = {"service_topic:parked_events:max", "pool_scheme:waitlisted_yuan:max"}


def hurried(folder: Path, system: Stack) -> Path:
    """Write the local configuration for this system; return its file."""
    ports = system.config.ports.by_name()
    configuration = watching.read(watching.PROMETHEUS / "prometheus-local.yml")
    jobs = [job for job in configuration["scrape_configs"] if job["job_name"] in ports]
    for job in jobs:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    seconds = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s"}
    configuration |= {"scrape_configs": jobs, "global": configuration["global"] | seconds}
    configuration.pop("alerting")
    (folder / "rules").mkdir()
    for path in watching.RULE_FILES:
        rules = watching.read(path)
        for group in rules["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / "rules" / path.name).write_text(yaml.safe_dump(rules), encoding="utf-8")
    found = folder / "prometheus.yml"
    found.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return found


@pytest.fixture
async def prometheus(system: Stack, tmp_path: Path) -> AsyncIterator[Server]:
    async with servers.prometheus(tmp_path, hurried(tmp_path, system)) as found:
        yield found


async def rules_of(prometheus: Server) -> list[dict[str, Any]]:
    groups = (await prometheus.get("/api/v1/rules"))["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


async def ask(prometheus: Server, query: str) -> list[dict[str, Any]]:
    answer = await prometheus.get("/api/v1/query", query=query)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


async def firing(prometheus: Server) -> set[tuple[str, str]]:
    found = await ask(prometheus, 'ALERTS{alertstate="firing"}')
    return {(each["metric"]["alertname"], each["metric"].get("service", "")) for each in found}


async def test_every_rule_evaluates_on_a_real_scrape_and_gives_data(traveller: Traveller, prometheus: Server) -> None:
    state = await paid_voucher(traveller, 20)

    async def all_evaluated() -> bool:
        rules = await rules_of(prometheus)
        assert {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")} == {}
        return all(rule["health"] == "ok" for rule in rules)

    await eventually(all_evaluated, seconds=PATIENCE_SECONDS)
    wanted = {rule["record"] for rule in watching.records()} - NEEDS_TROUBLE
    wanted = {name for name in wanted if not NEEDS_TIME.fullmatch(name)}
    missing = wanted

    async def all_there() -> bool:
        nonlocal missing
        await traveller.get("intake", f"/v1/applications/{state['application_id']}")
        found = await ask(prometheus, 'count by (__name__) ({__name__=~".+:.+:.+"})')
        missing = wanted - {each["metric"]["__name__"] for each in found}
        return not missing

    with contextlib.suppress(TimeoutError):
        await eventually(all_there, seconds=PATIENCE_SECONDS)
    assert missing == set()

    drawdown = {
        each["metric"]["pool"]: float(each["value"][1]) for each in await ask(prometheus, "pool:drawdown:ratio")
    }
    ledger = await traveller.pool()
    assert drawdown.keys() == POOLS
    assert drawdown[POOL] == pytest.approx(1 - ledger["available"] / ledger["appropriated"], abs=1e-9)


async def test_every_query_of_the_boards_has_an_answer(traveller: Traveller, prometheus: Server) -> None:
    """With whichever pool and service is chosen it is understood; with what is in use it has data."""
    await paid_voucher(traveller, 22)
    empty: set[str] = set()

    async def all_answered() -> bool:
        nonlocal empty
        await traveller.get("intake", "/v1/applications")
        empty = {query.where for query in boards.asked() if needed(query) and not await answered(prometheus, query)}
        return not empty

    with contextlib.suppress(TimeoutError):
        await eventually(all_answered, seconds=PATIENCE_SECONDS)
    assert empty == set()
    for query in boards.asked():
        for pool, service in zip(sorted(POOLS), ("metrics", "eligibility", "disbursement"), strict=True):
            await answered(prometheus, query, pool=pool, service=service, scheme="(grants|x)", group=service)


def needed(query: Asked) -> bool:
    """Return whether a query has to have data at once: what fires now, and what only time brings, may be empty."""
    named = boards.series(boards.substituted(query.expression, dict.fromkeys(CHOSEN, "x")))
    return named != {"ALERTS"} and not any(NEEDS_TIME.fullmatch(name) for name in named)


async def answered(prometheus: Server, query: Asked, **chosen: str) -> bool:
    """Ask as Grafana does, and return whether there was any data. Fails where Prometheus does not understand."""
    one = {"service": "intake"} if query.board == "drawdown-services" else {}
    expression = boards.substituted(query.expression, CHOSEN | one | chosen)
    if not query.range_:
        return bool(await ask(prometheus, expression))
    now = time.time()
    span = {"start": str(now - 60), "end": str(now), "step": "5"}
    answer = await prometheus.get("/api/v1/query_range", query=expression, **span)
    return bool(answer["data"]["result"])


async def test_a_service_that_is_killed_is_told_of_and_nothing_else(system: Stack, prometheus: Server) -> None:
    before = await at_rest(prometheus)
    alert: dict[str, Any] = {}

    async def until_known() -> None:
        alert.update(await until_told(prometheus, before, ("ServiceDown", "disbursement")))

    await system.crash(["disbursement"], meanwhile=until_known)
    assert alert["annotations"]["summary"] == "disbursement is down"
    assert alert["annotations"]["runbook_url"].endswith("/docs/runbooks/service-down.md#servicedown")
    assert alert["annotations"]["dashboard_url"].endswith("/d/drawdown-services?var-service=disbursement&viewPanel=1")
    await until_over(prometheus, "ServiceDown")


async def test_brokers_that_are_killed_are_told_of_and_nothing_else(system: Stack, prometheus: Server) -> None:
    before = await at_rest(prometheus)
    await system.crash(["kafka"], meanwhile=lambda: until_told(prometheus, before, ("BrokersDown", "")))
    await until_over(prometheus, "BrokersDown")


async def test_books_that_differ_are_told_of_and_nothing_else(
    system: Stack, traveller: Traveller, prometheus: Server
) -> None:
    await paid_voucher(traveller, 21)
    before = await at_rest(prometheus)
    spoil = "UPDATE caps SET granted = granted {} 5 WHERE holder = (SELECT min(holder) FROM caps)"
    async with spoilt(system, "disbursement", spoil.format("+"), spoil.format("-")):
        alert = await until_told(prometheus, before, ("ReconciliationDifference", ""))
    assert (alert["labels"]["check"], alert["labels"]["pool"]) == ("awards", POOL)
    assert alert["annotations"]["summary"] == f"awards of {POOL} differs by 0.05 yuan"
    await until_over(prometheus, "ReconciliationDifference")
    await resume(traveller)


async def at_rest(prometheus: Server) -> set[tuple[str, str]]:
    """Wait until all services were scraped and no figure is missing; return what fires, by what went before."""

    async def is_scraped() -> bool:
        up = await ask(prometheus, "up == 1")
        figures = await ask(prometheus, "pool:appropriated_yuan:max and on () cluster:kafka_brokers:max > 0")
        return len(up) == len(SERVICES) and len(figures) == len(POOLS)

    async def is_calm() -> bool:
        return not {"ServiceDown", "FiguresMissing", "BrokersDown"} & {name for name, _ in await firing(prometheus)}

    for look in (is_scraped, is_calm):
        await eventually(look, seconds=PATIENCE_SECONDS)
    return await firing(prometheus)


async def until_told(prometheus: Server, before: set[tuple[str, str]], wanted: tuple[str, str]) -> dict[str, Any]:
    """Wait for an alert; fail if any other comes with it. Return it as Prometheus would send it."""
    new: set[tuple[str, str]] = set()

    async def is_told() -> bool:
        nonlocal new
        new = await firing(prometheus) - before
        return bool(new)

    await eventually(is_told, seconds=PATIENCE_SECONDS)
    assert new == {wanted}
    alerts = (await prometheus.get("/api/v1/alerts"))["data"]["alerts"]
    [alert] = [each for each in alerts if each["labels"]["alertname"] == wanted[0]]
    return dict(alert)


async def until_over(prometheus: Server, name: str) -> None:
    async def is_over() -> bool:
        return name not in {each for each, _ in await firing(prometheus)}

    await eventually(is_over, seconds=PATIENCE_SECONDS)


async def test_the_questions_of_the_runbooks_have_answers(system: Stack) -> None:
    """Each SELECT on the alerts' pages, on the database that it is meant for."""
    asked = 0
    for path in {watching.RUNBOOKS / page.file for page in watching.pages().values()}:
        text = path.read_text(encoding="utf-8")
        for database, query in re.findall(r'\$PG/psql "\$\(superuser (\w+)\)" -c "\s*(SELECT [^"]*)"', text):
            if "pg_terminate_backend" in query:
                continue
            connection = await asyncpg.connect(system.postgres.superuser_dsn(database))
            await connection.fetch(query)
            await connection.close()
            asked += 1
    assert asked >= 8, "the pattern finds the pages' questions no more"
