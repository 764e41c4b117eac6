"""The benchmark as ``python -m benchmarks`` knows it: how to run it, what it found, and what its plot shows."""

from statistics import quantiles
from typing import Any, Final

from benchmarks.harness.plots import Panels
from benchmarks.harness.progress import say
from benchmarks.harness.results import Ratio, Result
from benchmarks.opening import run
from benchmarks.opening.plan import Plan
from benchmarks.opening.run import Morning, Outcome
from stack.grants import SERVICES

TITLE: Final = "Opening morning: 20,000 submissions in 60 s"
_LIMIT_MB: Final = 300
_SHOWN: Final = 5


class WrongError(Exception):
    """Something that has to hold does not; figures of such a run mean nothing."""


async def measure(*, quick: bool, long_past: int | None) -> Result:
    """Run the benchmark; it has no past."""
    del long_past
    plan = run.today()
    if quick:
        plan = Plan(submissions=600, companies=200, seconds=5.0, today=plan.today)
    return result(await run.play(Morning(plan)))


def result(outcome: Outcome) -> Result:
    """Return what is kept of a morning. Raises WrongError when anything that has to hold does not."""
    for name, found in outcome.wrong.items():
        say(f"  {f'{len(found)} x wrong' if found else 'ok'}: {name}")
        for each in found[:_SHOWN]:
            say(f"      {each}")
    if any(outcome.wrong.values()):
        raise WrongError("the morning was not in order: see above")
    largest = max(outcome.memory_mb[name] for name in SERVICES)
    ratios = {
        "decided_within_120_s": Ratio(
            "share of the accepted applications whose end the portal shows 120 s after the opening: awarded, "
            "waitlisted, rejected, or waiting for a person",
            1.0,
            1.0,
            outcome.within[120],
        ),
        "decided_within_75_s": Ratio("the same, 75 s after the opening", 0.0, 1.0, outcome.within[75]),
        "memory": Ratio(
            f"{_LIMIT_MB} MB divided by the largest resident memory that any of the four services reached",
            1.0,
            2.0,
            round(_LIMIT_MB / largest, 3),
        ),
    }
    return Result(ratios, figures(outcome), outcome.machine)


def figures(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Return latencies from the moment of the click, times, memory, CPU."""
    heard, plan = outcome.heard, outcome.morning.plan
    offered = f"{plan.submissions} submissions from {plan.companies} companies in {plan.seconds:g} s"
    refused = sum(bool(told.refusals) for told in heard.told.values())
    found: dict[str, dict[str, Any]] = {
        "offered": {"says": f"{offered}: {outcome.accepted} accepted, {refused} malformed and refused"},
        "tries": {"says": ", ".join(f"{count} x {what}" for what, count in heard.tries.most_common())},
        "hung up": {"says": outcome.hung_up},
        "answered/all clicks": _latencies(heard.latencies, plan.seconds),
        "answered/first clicks": _latencies(heard.first_latencies, plan.seconds),
        "last answer": {"says": f"{heard.last_answer:.1f} s after the opening", "value": heard.last_answer},
        "all assessed": {"says": f"{outcome.assessed_seconds} s after the opening", "value": outcome.assessed_seconds},
        "all decided": {"says": f"{outcome.decided_seconds} s after the opening", "value": outcome.decided_seconds},
    }
    for name, peak in sorted(outcome.memory_mb.items()):
        found[f"memory/{name}"] = {"says": f"{peak:.0f} MB at its peak", "value": peak}
    for name, seconds in sorted(outcome.cpu_seconds.items()):
        each = 1000 * seconds / outcome.accepted
        found[f"cpu/{name}"] = {"says": f"{seconds:.1f} CPU seconds, {each:.2f} per 1,000 applications", "value": each}
    return found


def _latencies(taken: list[float], seconds: float) -> dict[str, Any]:
    cuts = quantiles(taken, n=100)
    return {
        "unit": "ms",
        "rate": round(len(taken) / seconds, 1),
        "units": len(taken),
        "p50_ms": round(1000 * cuts[49], 2),
        "p99_ms": round(1000 * cuts[98], 2),
        "max_ms": round(1000 * max(taken), 2),
        "late": sum(each > 1 for each in taken),
    }


def panels(result: Result) -> Panels:
    """Return the bars: latencies, memory, CPU."""

    def values(prefix: str) -> dict[str, float]:
        return {
            name.partition("/")[2]: figure["value"]
            for name, figure in result.figures.items()
            if name.startswith(f"{prefix}/")
        }

    answered = result.figures["answered/first clicks"]
    return {
        "Answer to the first click, ms": {"p50": answered["p50_ms"], "p99": answered["p99_ms"]},
        "Memory at the peak, MB": values("memory"),
        "CPU seconds per 1,000 applications": values("cpu"),
    }
