"""A real Prometheus with our configuration in a hurry: on other ports, every rule each second, no alert waits.

And what is asked of it: as the rules and the boards of Grafana do.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy import boards, watching
from tests.deploy.boards import Asked
from tests.deploy.servers import Server
from tests.kit.conftest import eventually

SCRAPE_SECONDS: Final = 3
PATIENCE_SECONDS: Final = 90
POOL: Final = "ai-package-2025"
POOLS: Final = {POOL, "ai-robotics-fund", "ai-terminal-fund"}
# What only time brings: a trend, a sum over a window that has begun a moment ago.
NEEDS_TIME: Final = re.compile(r"pool:(pace|exhaustion|moved)_.*|.*:(increase|ratio)(30m|1h|6h|1d|3d)")
# What a reader has chosen on the boards: everything, where that can be chosen.
CHOSEN: Final = {"pool": POOL, "service": ".*", "scheme": ".*", "group": ".*"}


def hurried(folder: Path, ports: Mapping[str, int], manager: Server | None = None) -> Path:
    """Write the local configuration for services on these ports and this Alertmanager; return its file."""
    configuration = watching.read(watching.PROMETHEUS / "prometheus-local.yml")
    jobs = [job for job in configuration["scrape_configs"] if job["job_name"] in ports]
    for job in jobs:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    seconds = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s"}
    configuration |= {"scrape_configs": jobs, "global": configuration["global"] | seconds}
    targets = [] if manager is None else [manager.address]
    configuration["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": targets}]}]
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


async def rules_of(prometheus: Server) -> list[dict[str, Any]]:
    groups = (await prometheus.get("/api/v1/rules"))["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


async def ask(prometheus: Server, query: str) -> list[dict[str, Any]]:
    answer = await prometheus.get("/api/v1/query", query=query)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


async def firing(prometheus: Server) -> set[tuple[str, str]]:
    """Return the alerts that fire, by name and service."""
    found = await ask(prometheus, 'ALERTS{alertstate="firing"}')
    return {(each["metric"]["alertname"], each["metric"].get("service", "")) for each in found}


async def unanswered(prometheus: Server, meanwhile: Callable[[], Awaitable[object]]) -> set[str]:
    """Ask all that the boards ask until everything had an answer, or patience ends; return what had none.

    ``meanwhile`` is done before each round: a rate of calls needs calls.
    """
    empty: set[str] = set()

    async def all_answered() -> bool:
        nonlocal empty
        await meanwhile()
        empty = {query.where for query in boards.asked() if _needed(query) and not await answered(prometheus, query)}
        return not empty

    with suppress(TimeoutError):  # the caller is told what is missing
        await eventually(all_answered, seconds=PATIENCE_SECONDS)
    return empty


def _needed(query: Asked) -> bool:
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
