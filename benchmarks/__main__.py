"""``python -m benchmarks [NAME ...]``: run benchmarks (all without a name), keep their results, and the page of all."""

import argparse
import asyncio
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Final

from benchmarks.decide import report as decide
from benchmarks.footprint import report as footprint
from benchmarks.growth import report as growth
from benchmarks.harness import document, plots, results
from benchmarks.harness.progress import say
from benchmarks.intake import report as intake
from benchmarks.latency import report as latency
from benchmarks.ledger import report as ledger
from benchmarks.lifecycle import report as lifecycle
from benchmarks.opening import report as opening
from benchmarks.replay import report as replay
from benchmarks.scale import report as scale
from benchmarks.start import report as start
from benchmarks.steady import report as steady

BENCHMARKS: Final[dict[str, ModuleType]] = {
    "decide": decide,
    "footprint": footprint,
    "growth": growth,
    "intake": intake,
    "latency": latency,
    "ledger": ledger,
    "lifecycle": lifecycle,
    "opening": opening,
    "replay": replay,
    "scale": scale,
    "stack": start,
    "steady": steady,
}


def main() -> None:
    """Run what was asked for. Results are kept in the repository; those of a quick run prove only that it runs."""
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - BENCHMARKS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as nowhere:
        kept = Path(nowhere) if arguments.quick else results.DIRECTORY
        _run(arguments, arguments.results or kept)
    if not arguments.quick and arguments.results is None:
        document.write()


def _run(arguments: argparse.Namespace, directory: Path) -> None:
    for name in arguments.names or sorted(BENCHMARKS):
        benchmark = BENCHMARKS[name]
        result = asyncio.run(benchmark.measure(quick=arguments.quick, long_past=arguments.past))
        path = results.write(name, result, directory)
        plots.bars(path.with_suffix(".svg"), benchmark.TITLE, benchmark.panels(result))
        for ratio_name, ratio in result.ratios.items():
            most = "at most " if ratio.at_most else ""
            say(f"{name} {ratio_name}: {ratio.value} (must {most}{ratio.must}, aim {most}{ratio.aim}): {ratio.verdict}")
        say(f"written: {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BENCHMARKS)}; all without a name")
    parser.add_argument("--quick", action="store_true", help="a minute's run that shows only that it runs")
    parser.add_argument("--past", type=int, help="how many past transfers (or lives) the long past has")
    parser.add_argument("--results", type=Path, help="where results go, instead of benchmarks/results")
    return parser


if __name__ == "__main__":
    main()
