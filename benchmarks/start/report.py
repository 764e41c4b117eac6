"""The benchmark: one start that makes everything, then starts of the same, each stopped again."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import machine
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result

TITLE: Final = "drawdown up, seconds until ready"
_ROUNDS: Final = 3
_DRAWDOWN: Final = (sys.executable, "-c", "from stack.cli import main; main()")


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    path = Path(tempfile.mkdtemp(prefix="drawdown-bench-"))
    facts = machine.facts() | {"before": machine.moment(path)}
    try:
        first, again = await _start(path), [await _start(path) for _ in range(1 if quick else _ROUNDS)]
        facts["after"] = machine.moment(path)
    finally:
        shutil.rmtree(path)
    second_up = Ratio(
        "seconds from `drawdown up` until all is ready, where the data directory was used before", 20, 8,
        round(median(again), 2), at_most=True,
    )  # fmt: skip
    rounds = ", ".join(f"{seconds:.1f}" for seconds in again)
    figures = {
        "first": {"says": f"{first:.1f} s where nothing is there but the packages", "value": first},
        "second": {"says": f"{rounds} s by round", "value": second_up.value},
    }
    return Result({"second_up_seconds": second_up}, figures, facts)


async def _start(home: Path) -> float:
    """Start it, stop it; return the seconds until it was ready."""
    began = time.perf_counter()
    await _drawdown("up", "--free-ports", "--home", str(home))
    seconds = time.perf_counter() - began
    say(f"ready after {seconds:.1f} s")
    await _drawdown("down", "--home", str(home))
    return seconds


async def _drawdown(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *_DRAWDOWN, *arguments, env=os.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"drawdown {' '.join(arguments)} failed: {said.decode()[-1000:]}")


def panels(result: Result) -> Panels:
    """Return the bars: the first start and the later ones."""
    return {"Seconds until ready": {name: figure["value"] for name, figure in result.figures.items()}}
