"""The benchmark as ``python -m benchmarks`` knows it: how to run it, and what its plot shows."""

from typing import Final

from benchmarks.harness.plots import Panels
from benchmarks.harness.results import Result
from benchmarks.lifecycle import run

TITLE: Final = "Whole lives, from application to settled payment"


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    return await run.measure(run.QUICK if quick else run.Plan())


def panels(result: Result) -> Panels:
    """Return the bars: lives a second, and CPU seconds of each process."""
    found: Panels = {"Lives a second": {}}
    for name, figure in result.figures.items():
        part, _, side = name.partition("/")
        if part == "lives":
            found["Lives a second"][side] = figure["median"]
            found[f"CPU seconds per 1,000 lives, {side}"] = figure["cpu_seconds_per_1000"]
    return found
