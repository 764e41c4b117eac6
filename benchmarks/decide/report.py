"""The benchmark as ``python -m benchmarks`` knows it: how to run it, and what its plot shows."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cel

from benchmarks.decide.cases import NOW, Case, cases
from benchmarks.harness import machine
from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.harness.rounds import Run, Side, alternate, figure, median_rate, ratio
from eligibility import rules
from eligibility.expressions import expressions_of

TITLE: Final = "Decisions a second, one core"
_ROUNDS: Final = 7
_SECONDS: Final = 2.0
_COMPANIES: Final = 300


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    rounds, seconds = (1, 0.05) if quick else (_ROUNDS, _SECONDS)
    decided = cases(20 if quick else _COMPANIES)
    say(f"{len(decided)} applications of {len({case.application.scheme for case in decided})} schemes in turn")
    with tempfile.TemporaryDirectory() as directory:
        facts = machine.facts() | {"before": machine.moment(Path(directory))}
        sides: dict[str, Side] = {
            "ours": _side(_decide, decided, seconds),
            "expressions": _side(_prepared(decided), decided, seconds),
        }
        runs = await alternate(sides, rounds)
        facts |= {"after": machine.moment(Path(directory))}
    figures = {f"decide/{name}": figure(of_side, "decisions") for name, of_side in runs.items()}
    for name, of_side in runs.items():
        say(f"  {name}: {median_rate(of_side):,.0f} decisions/s")
    says = "whole decisions with their reasons, divided by the expression library alone on the same criteria and facts"
    return Result({"vs_expressions": Ratio(says, 0.3, 0.6, ratio(runs["ours"], runs["expressions"]))}, figures, facts)


def panels(result: Result) -> Panels:
    """Return the bars: decisions a second by side."""
    return {"Decisions": {name.partition("/")[2]: one["median"] for name, one in result.figures.items()}}


def _side(decide: Callable[[Case], Any], decided: list[Case], seconds: float) -> Side:
    async def turn(_round: int) -> Run:
        units, began, used = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            for case in decided:
                decide(case)
            units += len(decided)
        took, cpu = time.perf_counter() - began, time.process_time() - used
        return Run(units, took, {f"python on {os.cpu_count()} cores": cpu})

    return turn


def _decide(case: Case) -> Any:
    return rules.decide(case.book, case.application, case.facts, NOW)


def _prepared(decided: list[Case]) -> Callable[[Case], Any]:
    """Return the library alone: programs are compiled and variables made before the clock; a context is its own."""
    programs = {
        case.application.scheme: [cel.compile(one.text) for one in expressions_of(case.book.policy)] for case in decided
    }
    variables = {
        case.application.application_id: rules.variables(case.book.policy, case.application, case.facts)
        for case in decided
    }

    def evaluate(case: Case) -> Any:
        context = cel.Context(variables[case.application.application_id])
        return [program.execute(context) for program in programs[case.application.scheme]]

    return evaluate
