"""The benchmark: the maximum by a closed loop, then half of it for an hour without a pause, looked at all the while.

In both, no answer of a register serves for two lives: in the hour a company comes again when its answers are too old,
so in the loop each comes once. Otherwise half of the maximum would be more than half of what the hour can do.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec

from benchmarks.harness import machine
from benchmarks.harness.openloop import Latencies
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Result
from benchmarks.harness.rounds import Run
from benchmarks.lifecycle import system
from benchmarks.lifecycle.ours import Ours
from benchmarks.lifecycle.portal import Played
from benchmarks.lifecycle.run import Numbers, maximum, settings, today
from benchmarks.steady.quarters import QUARTERS, by_part, medians, memory, ratios, worst_dead
from benchmarks.steady.watch import Look, Watcher, workers_cpu_seconds
from stack.supervisor import Stack

TITLE: Final = "An hour at half of the maximum"
_SHARE: Final = 0.5
_LEAST_LIVES: Final = 100
_LIFE_BYTES: Final = 75_000  # footprint: 54 kB in databases and 15 in topics; the log is used again
HOT: Final = ("pools", "envelopes", "relay", "consumer_offset", "tallies", "progress", "scheme_balances")
"""Small tables of which a few rows are updated again and again; those that a database has."""


class Plan(msgspec.Struct, frozen=True):
    """How much is measured: lives for warm-up and for the maximum, then so many seconds, told of in parts."""

    warm_up: int = 400
    lives: int = 3_000
    seconds: float = 3_600.0
    parts: int = 12
    look_seconds: float = 15.0


QUICK: Final = Plan(warm_up=20, lives=100, seconds=10.0, parts=4, look_seconds=0.5)


class Hour(msgspec.Struct, frozen=True):
    """What was found: at which rate, by whom at which cost, each life's time, and the looks."""

    maximum: float
    rate: float
    seconds: float
    run: Run
    played: Played
    looks: list[Look]
    workers_cpu: float

    def by_part(self, until: str, parts: int) -> list[Latencies]:
        return by_part(self.played.taken[until], self.seconds, parts, self.rate, self.played.drain_seconds)


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    plan = QUICK if quick else Plan()
    async with system.running() as stack:
        facts = machine.facts() | {"before": machine.moment(stack.config.home.path)} | await settings(stack)
        async with Ours.open(stack, watches_awards=True) as side:
            hour = await _hour(stack, side, plan)
        facts["after"] = machine.moment(stack.config.home.path)
    found = ratios([each.p99_ms for each in hour.by_part("topic", QUARTERS)], hour.looks)
    return Result(found, figures(hour, plan.parts), facts)


async def _hour(stack: Stack, side: Ours, plan: Plan) -> Hour:
    numbers = Numbers()
    fastest = await maximum(side, numbers, warm_up=plan.warm_up, lives=plan.lives, of_a_company=1)
    rate = _SHARE * fastest
    count = max(_LEAST_LIVES, round(rate * plan.seconds))
    check_room(stack.config.home.path, count)
    say(f"{rate:.1f} lives a second, half of the maximum, {count} in all")
    watcher, stop = Watcher(stack, plan.look_seconds), asyncio.Event()
    before = workers_cpu_seconds(stack)
    await side.begin(numbers.take(count), count, today())
    looking = asyncio.create_task(watcher.run(stop))
    telling = asyncio.create_task(_tell(watcher, count / rate / plan.parts))
    try:
        run, played = await side.play_on(count, rate)
    finally:
        telling.cancel()
        stop.set()
        await asyncio.wait({looking, telling})
    looking.result()
    looks = [look for look in watcher.looks if look.seconds <= count / rate]
    return Hour(fastest, rate, count / rate, run, played, looks, workers_cpu_seconds(stack) - before)


def check_room(path: Path, lives: int) -> None:
    """Raise OSError where the disk would be full before the end."""
    wanted, free = lives * _LIFE_BYTES, shutil.disk_usage(path).free
    if wanted > free:
        raise OSError(f"{lives} lives leave {wanted / 1e9:.0f} GB behind, {path} has room for {free / 1e9:.0f} GB")


async def _tell(watcher: Watcher, every_seconds: float) -> None:
    """Say at the end of each part how it looks: the portal tells its times at the end."""
    seen = 0
    while True:
        await asyncio.sleep(every_seconds)
        fresh, seen = watcher.looks[seen:], len(watcher.looks)
        if fresh:
            last = fresh[-1]
            used = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in last.memory_mb.items())
            share, table = worst_dead(fresh)
            most = max(look.backlog for look in fresh)
            kept = sum(last.database_bytes.values()) / 1e9
            say(
                f"after {last.seconds:.0f} s: memory {used} MB; at most {most} events and applications waited; "
                f"databases {kept:.2f} GB, dead rows {share:.3f} in {table}; "
                f"the same work takes {median(look.work_ms for look in fresh):.1f} ms of CPU"
            )


def figures(hour: Hour, parts: int) -> dict[str, dict[str, Any]]:
    """Return latencies by part, memory, bytes, CPU, backlog, tables."""
    minutes = hour.seconds / 60
    found: dict[str, dict[str, Any]] = {
        "maximum": {"says": f"{hour.maximum:.1f} lives a second by the closed loop before", "value": hour.maximum},
        "offered": {
            "says": f"{hour.run.units} lives, {hour.rate:.1f} a second for {minutes:.1f} minutes",
            "value": hour.rate,
        },
    }
    for until in hour.played.taken:
        found[f"award by {until}/all"] = _latencies(hour.by_part(until, 1)[0])
        for number, each in enumerate(hour.by_part(until, parts)):
            name = f"{number * minutes / parts:.4g} to {(number + 1) * minutes / parts:.4g} minutes"
            found[f"award by {until}/{name}"] = _latencies(each)
    return found | _costs(hour) | _backlog(hour.looks) | _tables(hour.looks)


def _latencies(taken: Latencies) -> dict[str, Any]:
    says = (
        f"p50 {taken.p50_ms} ms, p99 {taken.p99_ms} ms, p99.9 {taken.p999_ms} ms, longest {taken.max_ms} ms; "
        f"{taken.units} lives, {taken.late} above 1 s"
    )
    return {"says": says, **msgspec.structs.asdict(taken)}


def _costs(hour: Hour) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, used in memory(hour.looks).items():
        says = f"{used[0]:.0f} MB in the first quarter, {used[-1]:.0f} MB in the last"
        found[f"memory/{name}"] = {"says": says, "quarters": used}
    work = medians(hour.looks, lambda look: look.work_ms)
    says = ", ".join(f"{each:.1f}" for each in work) + " ms by quarter: where it rises, others slow the machine down"
    found["machine/CPU time of the same work"] = {"says": says, "quarters": work}
    first, last = hour.looks[0], hour.looks[-1]
    lives = hour.rate * (last.seconds - first.seconds)
    for name, size in last.database_bytes.items():
        each = (size - first.database_bytes[name]) / lives
        says = f"{each / 1_000:.1f} kB a life, dead rows and indexes included; {size / 1e9:.2f} GB at the end"
        found[f"database/{name}"] = {"says": says, "value": each}
    for name, seconds in sorted({**hour.run.cpu, "postgres, ended": hour.workers_cpu}.items()):
        each = 1000 * seconds / hour.run.units
        found[f"cpu/{name}"] = {"says": f"{each:.2f} CPU seconds per 1,000 lives", "value": each}
    return found


def _backlog(looks: Sequence[Look]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in looks[0].pending:
        for what, counts in (
            ("outbox", [look.pending[name] for look in looks]),
            ("consumer", [look.lag[name] for look in looks]),
        ):
            found[f"waiting/{name}, {what}"] = _waiting(counts)
    found["waiting/eligibility, assessor"] = _waiting([look.assessments for look in looks])
    found["waiting/all"] = _waiting([look.backlog for look in looks])
    found["waiting/all"]["quarters"] = medians(looks, lambda look: look.backlog)
    return found


def _waiting(counts: list[int]) -> dict[str, Any]:
    middle, most = sorted(counts)[len(counts) // 2], max(counts)
    return {"says": f"{middle} events in the median, {most} at most", "value": middle, "most": most}


def _tables(looks: Sequence[Look]) -> dict[str, dict[str, Any]]:
    share, worst = worst_dead(looks)
    found: dict[str, dict[str, Any]] = {
        "dead rows": {"says": f"{share:.3f} of {worst} at the worst moment of the second half", "value": share}
    }
    for name, table in looks[0].tables.items():
        if name.partition(".")[2] in HOT:
            begin, end = table.bytes, looks[-1].tables[name].bytes
            says = f"{begin / 1_000:.0f} kB at the beginning, {end / 1_000:.0f} kB at the end, indexes included"
            found[f"hot table/{name}"] = {"says": says, "value": end}
    return found


def panels(result: Result) -> Panels:
    """Return the bars: p99 and p99.9 by part, memory by quarter."""
    found: Panels = {}
    for name, figure in result.figures.items():
        what, _, part = name.partition("/")
        if "p999_ms" in figure:
            bars = found.setdefault(f"{what}, ms", {})
            bars[f"p99, {part}"], bars[f"p99.9, {part}"] = figure["p99_ms"], figure["p999_ms"]
        elif what == "memory":
            bars = found.setdefault("Memory, MB", {})
            bars |= {f"{part}, quarter {number}": used for number, used in enumerate(figure["quarters"], 1)}
    return found
