"""The benchmark as ``python -m benchmarks`` knows it: how to run it, and what its plot shows."""

from typing import Final

import msgspec

from benchmarks.harness.plots import Panels
from benchmarks.harness.results import Result
from benchmarks.ledger import run

TITLE: Final = "Ledger: commands a second, one process unless said"

_PARTS: Final = {
    "approvals": "Approvals on one hot pool",
    "mix": "Approvals, claims, settlements",
    "batches of": "Approvals, by size of batch",
    "processes": "Approvals, by processes and pools",
    "past of": "Approvals, by past transfers",
}


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; ``long_past`` replaces the plan's."""
    plan = run.QUICK if quick else run.Plan()
    return await run.measure(msgspec.structs.replace(plan, long_past=long_past) if long_past else plan)


def panels(result: Result) -> Panels:
    """Return the bars of each part: commands a second by side."""
    found: Panels = {title: {} for title in _PARTS.values()}
    for name, figure in result.figures.items():
        part, _, side = name.partition("/")
        if part in _PARTS:
            found[_PARTS[part]][side] = figure["median"]
    return found
