"""The benchmark: turns with one process of each service and with two; then the second ones join while lives arrive."""

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from benchmarks.harness import machine
from benchmarks.harness.openloop import Latencies
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Runs, alternate, figure, ratio
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import CONNECTIONS, Ours
from benchmarks.lifecycle.run import Numbers, settings, today
from stack.grants import SERVICES
from stack.ports import LOOPBACK
from stack.supervisor import Stack

TITLE: Final = "One and two processes of each service"
_SECONDS: Final = [f"{service}-2" for service in SERVICES]


class Plan(msgspec.Struct, frozen=True):
    """Lives of a turn, after some for warm-up, and rounds; joins, the rate meanwhile, and the seconds before them."""

    lives: int = 2_000
    warm_up: int = 200
    rounds: int = 3
    joins: int = 3
    rate: float = 20.0
    alone_seconds: float = 8.0
    seconds: float = 30.0


QUICK: Final = Plan(lives=60, warm_up=10, rounds=1, joins=1, rate=5.0, alone_seconds=1.0, seconds=4.0)


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    plan = QUICK if quick else Plan()
    numbers = Numbers()
    async with system.running(copies=2) as stack:
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)} | await settings(stack)
        async with Ours.open(
            stack, connections=2 * CONNECTIONS
        ) as side:  # as many for each of two as elsewhere for one
            runs = await _turns(stack, side, numbers, plan)
        async with Ours.open(stack, watches_awards=True) as side:
            joined = [await _join(stack, side, numbers, plan) for _ in range(plan.joins)]
        facts["after"] = machine.moment(stack.config.home.path)
    return Result(_ratios(runs, joined), _figures(runs, joined), facts)


async def _turns(stack: Stack, side: Ours, numbers: Numbers, plan: Plan) -> Runs:
    port = urlsplit(stack.urls["intake-2"]).port
    assert port is not None, "it listens"

    async def play(more: list[tuple[str, int]]) -> Run:
        await side.play(numbers.take(plan.warm_up), plan.warm_up, today(), more)  # the second ones have just started
        run = await side.play(numbers.take(plan.lives), plan.lives, today(), more)
        say(f"{1 + len(more)} of each: {run.rate:.1f} lives/s")
        return run

    async def one(_round: int) -> Run:
        return await _without_seconds(stack, lambda: play([]))

    async def two(_round: int) -> Run:
        return await play([(LOOPBACK, port)])

    return await alternate({"two": two, "one": one}, plan.rounds)


async def _without_seconds(stack: Stack, play: Callable[[], Awaitable[Run]]) -> Run:
    runs: list[Run] = []

    async def meanwhile() -> None:
        runs.append(await play())

    await system.without_services(stack, meanwhile, _SECONDS)
    return runs[0]


async def _join(stack: Stack, side: Ours, numbers: Numbers, plan: Plan) -> Latencies:
    """Let lives arrive, and the second processes start among them; return how long awards took."""
    count = round(plan.rate * plan.seconds)
    playing: list[asyncio.Task[dict[str, Latencies]]] = []

    async def begin() -> None:
        await side.connect()
        await side.portal.call("prepare", numbers.take(count), count, today())
        playing.append(asyncio.create_task(side.portal.call("play_at", plan.rate)))
        await asyncio.sleep(plan.alone_seconds)

    await system.without_services(stack, begin, _SECONDS)
    taken = (await playing[0])["topic"]
    say(f"joined: award after p50 {taken.p50_ms} ms, longest {taken.max_ms} ms")
    return taken


def _ratios(runs: Runs, joined: list[Latencies]) -> dict[str, Ratio]:
    return {
        "two_vs_one": Ratio(
            "whole lives a second with two processes of each service, divided by those with one, on the same machine",
            0.9,
            1.0,
            ratio(runs["two"], runs["one"]),
        ),
        "join_seconds": Ratio(
            "the longest that an award took of lives that arrived while the second processes joined, in seconds: the "
            "median of the joins",
            5,
            2,
            round(median(taken.max_ms for taken in joined) / 1000, 2),
            at_most=True,
        ),
    }


def _figures(runs: Runs, joined: list[Latencies]) -> dict[str, dict[str, Any]]:
    found = {f"lives/{name} of each": figure(sides, "lives") for name, sides in runs.items()}
    joins = {
        f"award while they join/{number}": {"unit": "ms", **msgspec.structs.asdict(taken)}
        for number, taken in enumerate(joined, 1)
    }
    return found | joins


def panels(result: Result) -> Panels:
    """Return the bars: lives a second, and the latencies of the joins."""
    found: Panels = {"Lives a second": {}, "Award while they join, ms": {}}
    for name, each in result.figures.items():
        what = name.partition("/")[2]
        if "median" in each:
            found["Lives a second"][what] = each["median"]
        else:
            found["Award while they join, ms"] |= {f"p50, {what}": each["p50_ms"], f"longest, {what}": each["max_ms"]}
    return found
