"""The benchmark: the maximum by a closed loop, then rounds of lives at a fifth of it, each beside the floor."""

from statistics import median
from typing import Any, Final

import msgspec

from benchmarks.harness import machine
from benchmarks.harness.openloop import Latencies
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.latency import floor
from benchmarks.latency.floor import Floor
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import Ours
from benchmarks.lifecycle.run import Numbers, maximum, settings, today
from stack.supervisor import Stack

TITLE: Final = "From submission to award, at a fifth of the maximum"
_PART: Final = 0.2


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: lives for warm-up and for the maximum, rounds of an open loop of so many seconds."""

    warm_up: int = 400
    lives: int = 3_000
    rounds: int = 3
    seconds: float = 30.0
    steps: int = 200


QUICK: Final = Plan(warm_up=20, lives=100, rounds=1, seconds=1.0, steps=10)


class Round(msgspec.Struct, frozen=True):
    """A round: what nobody can save at that moment, and how long it took until the award by topic and portal."""

    floor: Floor
    taken: dict[str, Latencies]

    def over_floor(self, until: str) -> float:
        """Return the 99th percentile divided by the floor."""
        return self.taken[until].p99_ms / self.floor.sum_ms


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    plan = QUICK if quick else Plan()
    async with system.running() as stack:
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)} | await settings(stack)
        async with Ours.open(stack, watches_awards=True) as side:
            fastest, rounds = await _rounds(stack, side, plan)
        facts["after"] = machine.moment(stack.config.home.path)
    return Result(_ratios(rounds), _figures(fastest, rounds), facts)


async def _rounds(stack: Stack, side: Ours, plan: Plan) -> tuple[float, list[Round]]:
    numbers = Numbers()
    fastest = await maximum(side, numbers, warm_up=plan.warm_up, lives=plan.lives)
    rate = _PART * fastest
    count = max(100, round(rate * plan.seconds))
    rounds = []
    for _ in range(plan.rounds):
        found = await floor.measure(stack, plan.steps)
        await side.portal.call("prepare", numbers.take(count), count, today())
        taken: dict[str, Latencies] = await side.portal.call("play_at", rate)
        rounds.append(Round(found, taken))
        say(
            f"{rate:.1f}/s: award after p50 {taken['topic'].p50_ms} ms, p99 {taken['topic'].p99_ms} ms; "
            f"floor {found.sum_ms:.2f} ms (a commit {found.commit_ms}, a trip through Kafka {found.trip_ms})"
        )
    return fastest, rounds


def _ratios(rounds: list[Round]) -> dict[str, Ratio]:
    return {
        "p99_vs_floor": Ratio(
            "99th percentile of the time from the moment at which an application should have been sent until its award "
            "can be read on disbursement.awards, at a fifth of the maximum, divided by three commits and two trips "
            "through Kafka, as measured between the rounds",
            8,
            3,
            round(median(each.over_floor("topic") for each in rounds), 2),
            at_most=True,
        )
    }


def _figures(maximum: float, rounds: list[Round]) -> dict[str, dict[str, Any]]:
    floors = ", ".join(f"{each.floor.commit_ms} and {each.floor.trip_ms}" for each in rounds)
    told = round(median(each.over_floor("portal") for each in rounds), 2)
    found: dict[str, dict[str, Any]] = {
        "maximum": {"says": f"{maximum:.1f} lives a second by the closed loop before", "value": maximum},
        "floor": {"says": f"a commit and a trip through Kafka, ms, by round: {floors}"},
        "told": {"says": f"p99 until the portal's stream tells it, divided by the floor: {told}", "value": told},
    }
    for number, each in enumerate(rounds, 1):
        for until, taken in each.taken.items():
            found[f"award by {until}/{number}"] = {"unit": "ms", **msgspec.structs.asdict(taken)}
    return found


def panels(result: Result) -> Panels:
    """Return the bars: p50 and p99 by round."""
    found: Panels = {}
    for name, figure in result.figures.items():
        part, _, number = name.partition("/")
        if "p99_ms" in figure:
            bars = found.setdefault(f"{part}, ms", {})
            bars[f"p50, round {number}"], bars[f"p99, round {number}"] = figure["p50_ms"], figure["p99_ms"]
    return found
