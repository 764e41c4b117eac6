"""A real Prometheus scrapes the whole system: every rule evaluates, the boards have figures, the right alert fires.

And a real Alertmanager calls who is meant. Both have our configurations, in a hurry: the targets on this system's
ports, every rule each second, no alert waits before it fires or is sent on.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from contracts.topics import SERVICES
from stack.supervisor import Stack
from tests.deploy import boards, pager, scraping, servers, watching
from tests.deploy.pager import Call, Pager
from tests.deploy.scraping import NEEDS_TIME, PATIENCE_SECONDS, POOL, POOLS, answered, ask, firing, rules_of
from tests.deploy.servers import Server
from tests.journeys.test_books import paid_voucher, resume, spoilt
from tests.journeys.traveller import Traveller
from tests.kit.conftest import eventually

NEEDS_TROUBLE: Final = {"service_topic:parked_events:max", "pool_scheme:waitlisted_yuan:max"}


@pytest.fixture
def called() -> Iterator[Pager]:
    """Who is called."""
    with pager.listening() as found:
        yield found


@pytest.fixture
async def manager(called: Pager, tmp_path: Path) -> AsyncIterator[Server]:
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    async with servers.alertmanager(folder, pager.hurried(folder, called)) as found:
        yield found


@pytest.fixture
async def prometheus(system: Stack, manager: Server, tmp_path: Path) -> AsyncIterator[Server]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    async with servers.prometheus(folder, scraping.hurried(folder, system.config.ports.by_name(), manager)) as found:
        yield found


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
    assert await scraping.unanswered(prometheus, lambda: traveller.get("intake", "/v1/applications")) == set()
    for query in boards.asked():
        for pool, service in zip(sorted(POOLS), ("metrics", "eligibility", "disbursement"), strict=True):
            await answered(prometheus, query, pool=pool, service=service, scheme="(grants|x)", group=service)


@pytest.fixture
async def watch(prometheus: Server, called: Pager) -> "Watch":
    """Prometheus and the pager, once every service was scraped and nothing larger is wrong."""
    return Watch(prometheus, called, await at_rest(prometheus))


class Watch:
    """What comes up beside what fired before: at Prometheus, and at who is called."""

    def __init__(self, prometheus: Server, called: Pager, before: set[tuple[str, str]]) -> None:
        self._prometheus = prometheus
        self._called = called
        self._before = before

    async def until_told(self, name: str, service: str = "") -> Call:
        """Wait for an alert and for the call; fail if either comes with any other. Return the call."""
        new: set[tuple[str, str]] = set()

        async def is_new(told: Callable[[], Awaitable[set[tuple[str, str]]]]) -> bool:
            nonlocal new
            new = await told() - self._before
            return bool(new)

        for told in (partial(firing, self._prometheus), self._calls):
            await eventually(partial(is_new, told), seconds=PATIENCE_SECONDS)
            assert new == {(name, service)}
        [call] = {call.receiver: call for call in self._called.calls if call.about == (name, service)}.values()
        assert call.receiver == {"critical": "page", "warning": "ticket"}[call.labels["severity"]]
        return call

    async def _calls(self) -> set[tuple[str, str]]:
        return self._called.about("firing")

    async def until_over(self, name: str, service: str = "") -> None:
        """Wait until the alert fires no more and that was said, too."""

        async def is_over() -> bool:
            return (name, service) not in await firing(self._prometheus)

        await eventually(is_over, seconds=PATIENCE_SECONDS)
        await eventually(lambda: (name, service) in self._called.about("resolved"), seconds=PATIENCE_SECONDS)


async def test_a_service_that_is_killed_is_told_of_and_nothing_else(system: Stack, watch: Watch) -> None:
    calls: list[Call] = []

    async def until_called() -> None:
        calls.append(await watch.until_told("ServiceDown", "disbursement"))

    await system.crash(["disbursement"], meanwhile=until_called)
    said = calls[0].annotations
    assert said["summary"] == "disbursement is down"
    assert said["runbook_url"].endswith("/docs/runbooks/service-down.md#servicedown")
    assert said["dashboard_url"].endswith("/d/drawdown-services?var-service=disbursement&viewPanel=1")
    assert not calls[0].labels.keys() & {"runbooks", "grafana"}
    await watch.until_over("ServiceDown", "disbursement")


async def test_brokers_that_are_killed_are_told_of_and_nothing_else(system: Stack, watch: Watch) -> None:
    calls: list[Call] = []

    async def until_called() -> None:
        calls.append(await watch.until_told("BrokersDown"))

    await system.crash(["kafka"], meanwhile=until_called)
    assert calls[0].receiver == "page"
    await watch.until_over("BrokersDown")


async def test_books_that_differ_are_told_of_and_nothing_else(
    system: Stack, traveller: Traveller, prometheus: Server, called: Pager
) -> None:
    await paid_voucher(traveller, 21)
    watch = Watch(prometheus, called, await at_rest(prometheus))
    spoil = "UPDATE caps SET granted = granted {} 5 WHERE holder = (SELECT min(holder) FROM caps)"
    async with spoilt(system, "disbursement", spoil.format("+"), spoil.format("-")):
        call = await watch.until_told("ReconciliationDifference")
    assert (call.labels["check"], call.labels["pool"]) == ("awards", POOL)
    assert call.annotations["summary"] == f"awards of {POOL} differs by 0.05 yuan"
    await watch.until_over("ReconciliationDifference")
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
