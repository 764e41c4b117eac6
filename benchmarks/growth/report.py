"""The benchmark: turns on a short past, which the services have played themselves; the past grows; turns again."""

import asyncio
from functools import partial
from typing import Any, Final

import asyncpg
import msgspec

from benchmarks.growth import audit, past
from benchmarks.harness import machine
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Runs, figure, median_rate
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import Ours, WrongError
from benchmarks.lifecycle.run import Numbers, settings, today
from stack.grants import SERVICES
from stack.supervisor import Stack

TITLE: Final = "Whole lives a second, with a short and a long past"
_LOOK_EVERY_SECONDS: Final = 5.0
_UNREAD: Final = """
SELECT sum(pool.version - coalesce(reached.version, 0)) FROM pools AS pool
LEFT JOIN ledger_checkpoints AS reached ON reached.pool = pool.pool AND reached.reader = 'new'
"""


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: past applications, and turns of so many lives, each after some for warm-up."""

    short: int = 10_000
    long: int = 2_000_000
    turns: int = 5
    lives: int = 2_000
    warm_up: int = 200


QUICK: Final = Plan(short=60, long=300, turns=1, lives=40, warm_up=10)


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; ``long_past`` replaces the plan's two million."""
    plan = QUICK if quick else Plan()
    if long_past is not None:
        plan = msgspec.structs.replace(plan, long=long_past)
    hurried = {"DISBURSEMENT_RECONCILE_EVERY_SECONDS": "1"} if quick else None
    async with system.running(hurried) as stack:
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)} | await settings(stack)
        numbers = Numbers()
        async with Ours.open(stack) as side:
            await side.play(numbers.take(plan.short), plan.short, today())
        runs: Runs = {}
        counts = {}
        for name in ("short", "long"):
            await system.without_services(stack, partial(_prepare, stack, plan, name))
            counts[name] = await _count(stack)
            say(f"a {name} past of {counts[name]:,} applications")
            await _until_reconciled(stack)
            async with Ours.open(stack) as side:
                runs[name] = [await _turn(side, numbers, plan) for _ in range(plan.turns)]
        if found := await audit.differences(stack.postgres.superuser_dsn("disbursement")):
            raise WrongError(f"the ledger is not in order: {found[:3]}")
        facts["after"] = machine.moment(stack.config.home.path)
    return Result(_ratios(runs), _figures(runs, counts), facts)


async def _prepare(stack: Stack, plan: Plan, name: str) -> None:
    """Let the past be as long as named, and start alike: services anew, statistics taken, nothing dirty."""
    if name == "long":
        await past.multiply(stack.postgres, max(1, round(plan.long / await _count(stack)) - 1))
    await system.settle(stack.postgres, SERVICES)


async def _until_reconciled(stack: Stack) -> None:
    """Wait until reconciliation has followed the chain of what is new to it: a past that grew by itself it knows."""
    connection = await asyncpg.connect(stack.postgres.superuser_dsn("disbursement"))
    try:
        while unread := await connection.fetchval(_UNREAD):
            say(f"reconciliation has {unread:,} transfers to follow")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
    finally:
        await connection.close()


async def _count(stack: Stack) -> int:
    connection = await asyncpg.connect(stack.postgres.superuser_dsn("intake"))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM applications"))
    finally:
        await connection.close()


async def _turn(side: Ours, numbers: Numbers, plan: Plan) -> Run:
    await side.play(numbers.take(plan.warm_up), plan.warm_up, today())
    run = await side.play(numbers.take(plan.lives), plan.lives, today())
    say(f"{run.rate:.1f} lives/s, {_cost(run):.2f} CPU seconds per 1,000")
    return run


def _cost(run: Run) -> float:
    return 1000 * sum(run.cpu.values()) / run.units


def _ratios(runs: Runs) -> dict[str, Ratio]:
    rates = {name: median_rate(found) for name, found in runs.items()}
    costs = {name: sorted(_cost(run) for run in found)[len(found) // 2] for name, found in runs.items()}
    return {
        "growth": Ratio(
            "whole lives a second with the long past divided by those with the short one",
            0.9,
            0.98,
            round(rates["long"] / rates["short"], 3),
        ),
        "growth_cpu": Ratio(
            "CPU seconds of a life with the short past divided by those with the long one, which is steadier",
            0.9,
            0.98,
            round(costs["short"] / costs["long"], 3),
        ),
    }


def _figures(runs: Runs, counts: dict[str, int]) -> dict[str, dict[str, Any]]:
    found = {f"lives/{name}": figure(sides, "lives") for name, sides in runs.items()}
    past_is = {"says": ", ".join(f"{name}: {count:,} applications" for name, count in counts.items())}
    return {**found, "past": past_is}


def panels(result: Result) -> Panels:
    """Return the bars: lives a second, and CPU seconds by process."""
    found: Panels = {"Lives a second": {}}
    for name, each in result.figures.items():
        if "median" in each:
            past_is = name.partition("/")[2]
            found["Lives a second"][past_is] = each["median"]
            found[f"CPU seconds per 1,000 lives, {past_is} past"] = each["cpu_seconds_per_1000"]
    return found
