"""The benchmark: a system before and after so many lives; what was added, divided by them."""

from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import psutil

from benchmarks.harness import machine
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import Ours
from benchmarks.lifecycle.run import Numbers, today
from stack.grants import SERVICES
from stack.supervisor import Stack

TITLE: Final = "What a life leaves behind"
_LIVES: Final = 4_000
_WARM_UP: Final = 400
_STATEMENTS: Final = """
SELECT rolname, sum(calls)::bigint AS calls FROM pg_stat_statements AS s JOIN pg_roles AS r ON r.oid = s.userid
WHERE rolname = ANY($1) GROUP BY rolname
"""
_AT_REST_LIMIT_MB: Final = 150


class Sizes(msgspec.Struct, frozen=True):
    """At one moment. Bytes by database; of all logs; statements by service."""

    databases: dict[str, int]
    wal: int
    topics: int
    statements: dict[str, int]


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    lives, warm_up, numbers = (150, 20, Numbers()) if quick else (_LIVES, _WARM_UP, Numbers())
    async with system.running() as stack:
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)}
        at_rest = memory(stack)
        async with Ours.open(stack) as side:
            await side.play(numbers.take(warm_up), warm_up, today())
            before = await _sizes(stack)
            await side.play(numbers.take(lives), lives, today())
            after = await _sizes(stack)
        facts["after"] = machine.moment(stack.config.home.path)
    largest = max(at_rest.values())
    ratio = Ratio(
        f"{_AT_REST_LIMIT_MB} MB divided by the memory of the largest service before its first event",
        1,
        _AT_REST_LIMIT_MB / 80,
        round(_AT_REST_LIMIT_MB / largest, 3),
    )
    return Result({"memory_at_rest": ratio}, figures(before, after, lives, at_rest), facts)


def memory(stack: Stack) -> dict[str, float]:
    """Return the resident memory of each service, in MB."""
    found: dict[str, float] = {}
    for name in SERVICES:
        identity = stack.components[name].child.identity
        assert identity is not None
        found[name] = round(psutil.Process(identity.pid).memory_info().rss / 1e6, 1)
    return found


async def _sizes(stack: Stack) -> Sizes:
    await system.settle(stack.postgres, SERVICES)
    connection = await asyncpg.connect(stack.postgres.superuser_dsn())
    try:
        databases = {name: await connection.fetchval("SELECT pg_database_size($1)", name) for name in SERVICES}
        wal = await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        calls = await connection.fetch(_STATEMENTS, SERVICES)
    finally:
        await connection.close()
    return Sizes(
        databases, int(wal), _segments(stack.config.home.kafka), {row["rolname"]: row["calls"] for row in calls}
    )


def _segments(kafka: Path) -> int:
    """Return the bytes of all records of the contract's topics; Kafka's own topics begin with two underscores."""
    return sum(path.stat().st_size for path in kafka.glob("*/data/[!_]*/*.log"))


def figures(before: Sizes, after: Sizes, lives: int, at_rest: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Return what one life added."""
    found: dict[str, dict[str, Any]] = {}
    for name in SERVICES:
        added = (after.databases[name] - before.databases[name]) / lives
        found[f"database/{name}"] = {
            "says": f"{added / 1_000:.1f} kB a life, indexes and outbox included",
            "value": added,
        }
    wal, topics = (after.wal - before.wal) / lives, (after.topics - before.topics) / lives
    found["log/postgres"] = {"says": f"{wal / 1_000:.1f} kB a life, of all four databases", "value": wal}
    found["topics/kafka"] = {"says": f"{topics / 1_000:.1f} kB a life, of one replica", "value": topics}
    for name in SERVICES:
        calls = (after.statements[name] - before.statements[name]) / lives
        found[f"statements/{name}"] = {"says": f"{calls:.2f} a life, at full load", "value": calls}
    for name, megabytes in at_rest.items():
        found[f"memory/{name}"] = {"says": f"{megabytes:.0f} MB at rest", "value": megabytes}
    for name, figure in found.items():
        say(f"{name}: {figure['says']}")
    return found


def panels(result: Result) -> Panels:
    """Return the bars: bytes of a life by where they lie."""
    kinds = ("database/", "topics/")
    sizes = {name: figure["value"] / 1_000 for name, figure in result.figures.items() if name.startswith(kinds)}
    return {"kB a life": sizes}
