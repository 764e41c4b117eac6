"""Turns: the sides of a comparison run one after another, again and again, so that a slow moment hits all of them."""

from collections.abc import Awaitable, Callable, Mapping
from statistics import median
from typing import Any

import msgspec


class Run(msgspec.Struct, frozen=True):
    """One side's turn: how many units were done in which time, and the CPU seconds of each process that did them."""

    units: int
    seconds: float
    cpu: dict[str, float] = {}

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


Side = Callable[[int], Awaitable[Run]]
Runs = dict[str, list[Run]]


async def alternate(sides: Mapping[str, Side], rounds: int) -> Runs:
    """Run each side once for warm-up, then all of them in turn, ``rounds`` times. A side is told its round, from 0.

    A single round shows that a benchmark runs, and nothing about speed: it has no warm-up.
    """
    if rounds > 1:
        for side in sides.values():
            await side(0)
    runs: Runs = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            runs[name].append(await side(number))
    return runs


def median_rate(runs: list[Run]) -> float:
    """Return the median of the runs' rates."""
    return median(run.rate for run in runs)


def ratio(ours: list[Run], theirs: list[Run]) -> float:
    """Return the median, over the rounds, of our rate divided by theirs in the same round."""
    return round(median(a.rate / b.rate for a, b in zip(ours, theirs, strict=True)), 3)


def figure(runs: list[Run], unit: str) -> dict[str, Any]:
    """Return what a result keeps of a side: rates by round, their median, CPU seconds per 1,000 units by process."""
    names = sorted({name for run in runs for name in run.cpu})
    return {
        "unit": f"{unit}/s",
        "median": round(median_rate(runs), 1),
        "rounds": [round(run.rate, 1) for run in runs],
        "cpu_seconds_per_1000": {
            name: round(median(1000 * run.cpu.get(name, 0.0) / run.units for run in runs), 4) for name in names
        },
    }
