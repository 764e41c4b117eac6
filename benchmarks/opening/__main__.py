"""``python -m benchmarks.opening [--kill]``: one morning, its figures on the screen. Exit code 1 if it went wrong."""

import argparse
import asyncio
import sys

import msgspec

from benchmarks.harness import document, plots, results
from benchmarks.harness.progress import say
from benchmarks.opening import report, run
from benchmarks.opening.run import Morning

_KILLED_AFTER = 0.15  # of the time: while the rush is on


def main() -> None:
    """Play one morning as the flags say."""
    arguments = _parser().parse_args()
    plan = msgspec.structs.replace(
        run.today(),
        submissions=arguments.submissions,
        companies=arguments.companies,
        seconds=arguments.seconds,
        seed=arguments.seed,
    )
    kill_at = plan.seconds * _KILLED_AFTER if arguments.kill else None
    outcome = asyncio.run(run.play(Morning(plan, kill_at=kill_at)))
    for name, figure in report.figures(outcome).items():
        said = (
            figure.get("says") or f"p50 {figure['p50_ms']} ms, p99 {figure['p99_ms']} ms, longest {figure['max_ms']} ms"
        )
        print(f"{name:<24}{said}")
    try:
        found = report.result(outcome)
    except report.WrongError as error:
        say(str(error))
        sys.exit(1)
    for name, ratio in found.ratios.items():
        print(f"{name:<24}{ratio.value} (must {ratio.must:g}, aim {ratio.aim:g}): {ratio.verdict}")
    if arguments.keep:
        path = results.write("opening", found, results.DIRECTORY)
        plots.bars(path.with_suffix(".svg"), report.TITLE, report.panels(found))
        document.write()
        say(f"written: {path} and the page of all")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opening", description=__doc__)
    parser.add_argument("--kill", action="store_true", help="SIGKILL intake while the rush is on")
    parser.add_argument("--submissions", type=int, default=20_000)
    parser.add_argument("--companies", type=int, default=2_600)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long submissions go on to arrive")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write the result into benchmarks/results, and the page")
    return parser


if __name__ == "__main__":
    main()
