"""The benchmark as ``python -m benchmarks`` knows it: how to run it, and what its plot shows."""

from typing import Final

import msgspec

from benchmarks.harness.plots import Panels
from benchmarks.harness.results import Result
from benchmarks.intake import run

TITLE: Final = "Intake: requests a second"

_PARTS: Final = {
    "accepts, 1 process": "Applications accepted, one process",
    "accepts, 2 processes": "Applications accepted, two processes",
    "written by pgbench": "Applications' rows written by pgbench, in a transaction",
    "reads, a short past": "Reads, ten thousand applications",
    "reads, a long past": "Reads, two million applications",
}


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; ``long_past`` replaces the plan's."""
    plan = run.QUICK if quick else run.Plan()
    return await run.measure(msgspec.structs.replace(plan, long_past=long_past) if long_past else plan)


def panels(result: Result) -> Panels:
    """Return the bars of each part: requests a second by side."""
    found: Panels = {title: {} for title in _PARTS.values()}
    for name, figure in result.figures.items():
        part, _, side = name.partition("/")
        if part in _PARTS:
            found[_PARTS[part]][side] = figure["median"]
    return found
