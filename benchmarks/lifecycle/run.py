"""The benchmark: turns of ours and the monolith, each from a cold start of its processes, a warm-up, then the clock."""

from datetime import UTC, datetime
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from benchmarks.harness import machine
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Runs, figure, ratio
from benchmarks.lifecycle import system, theirs
from benchmarks.lifecycle.lives import APPLICATIONS_OF_A_COMPANY, numbers_of
from benchmarks.lifecycle.ours import Ours
from benchmarks.lifecycle.theirs import Theirs
from stack.grants import SERVICES
from stack.supervisor import Stack

SETTINGS: Final = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
OURS: Final = "ours"
PEER: Final = "synchronous"


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: rounds of so many lives each, after so many for warm-up; processes of the monolith."""

    rounds: int = 3
    lives: int = 2_000
    warm_up: int = 200
    processes: int = 2


QUICK: Final = Plan(rounds=1, lives=150, warm_up=20)


class Numbers:
    """Hands out the numbers of lives: none is used twice in one database."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> int:
        """Return the first of so many numbers. The next ones are those of other companies."""
        first, self._next = self._next, self._next + count + 1_000
        return first


async def measure(plan: Plan) -> Result:
    """Run the benchmark on a system of its own, which is removed."""
    async with system.running() as stack:
        say(f"the system is ready in {stack.config.home.path}")
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)} | await settings(stack)
        await theirs.create_database(stack)
        runs = await _rounds(stack, plan)
        facts["after"] = machine.moment(stack.config.home.path)
    vs_synchronous = Ratio(
        "whole lives a second until at rest (application, award, claim, settled payment; four services, Kafka, four "
        "databases, portal and metrics up to date) divided by those of a synchronous monolith with the same rules on "
        "one database",
        2,
        5,
        ratio(runs[OURS], runs[PEER]),
    )
    return Result({"vs_synchronous": vs_synchronous}, figures(runs), facts)


async def maximum(
    side: Ours, numbers: Numbers, *, warm_up: int, lives: int, of_a_company: int = APPLICATIONS_OF_A_COMPANY
) -> float:
    """Return how many lives a second come to rest by a closed loop, after some for warm-up."""
    rate = 0.0
    for count in (warm_up, lives):
        first = numbers.take(numbers_of(count, of_a_company))
        rate = (await side.play(first, count, today(), of_a_company=of_a_company)).rate
    return rate


async def settings(stack: Stack) -> dict[str, Any]:
    """Return PostgreSQL's settings that decide how durable and how fast it is."""
    connection = await asyncpg.connect(stack.postgres.superuser_dsn())
    try:
        return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in SETTINGS}
    finally:
        await connection.close()


def today() -> Any:
    """Return the programme's day: registers and policies know the calendar."""
    return datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


async def _rounds(stack: Stack, plan: Plan) -> Runs:
    runs: Runs = {OURS: [], PEER: []}
    numbers = Numbers()

    async def peer() -> None:
        async with Theirs.open(stack, plan.processes) as side:
            runs[PEER].append(await _turn(stack, side, numbers, plan, PEER))

    for _ in range(plan.rounds):
        async with Ours.open(stack) as side:
            runs[OURS].append(await _turn(stack, side, numbers, plan, OURS))
        await system.without_services(stack, peer)
    return runs


async def _turn(stack: Stack, side: Ours | Theirs, numbers: Numbers, plan: Plan, name: str) -> Run:
    await side.play(numbers.take(plan.warm_up), plan.warm_up, today())
    await system.settle(stack.postgres, SERVICES if name == OURS else (theirs.DATABASE,))
    run = await side.play(numbers.take(plan.lives), plan.lives, today())
    cpu = 1000 * sum(run.cpu.values()) / run.units
    say(f"{name}: {run.units} lives in {run.seconds:.1f} s, {run.rate:.1f}/s, {cpu:.1f} CPU seconds per 1,000")
    return run


def figures(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return rates and CPU seconds by process, and what a life costs in all."""
    found = {f"lives/{name}": figure(sides, "lives") for name, sides in runs.items()}
    for name, sides in runs.items():
        cost = median(1000 * sum(run.cpu.values()) / run.units for run in sides)
        found[f"cost/{name}"] = {"says": f"{cost:.1f} CPU seconds per 1,000 lives, all processes", "value": cost}
    return found
