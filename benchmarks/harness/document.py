"""The page of all results, docs/reference/performance.md: generated, so that no number in it is copied by hand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import results
from benchmarks.harness.results import Result

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "performance.md"

_HEAD: Final = """# Performance

Generated from `benchmarks/results` by `make bench`; do not edit. How it is measured, and beside what:
[benchmarks](../../benchmarks/README.md).
A ratio holds wherever it is taken. An absolute figure is for orientation: it is of this machine, in that hour.
"""


def write(directory: Path = results.DIRECTORY, page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(text(results.all_of(directory)), encoding="utf-8")


def text(found: Mapping[str, Result]) -> str:
    """Return the page for these results."""
    return "\n".join([_HEAD, *_ratios(found), *(line for name in found for line in _details(name, found[name]))])


def _ratios(found: Mapping[str, Result]) -> Iterator[str]:
    if not found:
        yield "Nothing is measured yet.\n"
        return
    yield "| benchmark | ratio | must | aim | measured | |"
    yield "|---|---|---|---|---|---|"
    for name, result in found.items():
        for key, ratio in result.ratios.items():
            most = "at most " if ratio.at_most else ""
            wanted = f"{most}{ratio.must:g} | {most}{ratio.aim:g}"
            yield f"| {name} | `{key}` | {wanted} | **{ratio.value:g}** | {ratio.verdict} |"
    yield ""


def _details(name: str, result: Result) -> Iterator[str]:
    machine = result.machine
    yield f"## {name}\n"
    yield f"{machine['date']}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB,"
    yield f"{machine['system']}, Python {machine['python']}. {_moments(machine)}\n"
    for key, ratio in result.ratios.items():
        yield f"- `{key}`: {ratio.says}"
    yield f"\n![{name}](../../benchmarks/results/{name}.svg)\n"
    yield "| what | median | rounds | CPU seconds per 1,000 |"
    yield "|---|---|---|---|"
    for key, figure in result.figures.items():
        yield _row(key, figure)
    yield ""


def _moments(machine: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{when}: load {machine[when]['load']}, a commit {machine[when]['commit_ms']} ms"
        for when in ("before", "after")
        if when in machine
    )


def _row(key: str, figure: Mapping[str, Any]) -> str:
    if "says" in figure:
        return f"| {key} | {figure['says']} | | |"
    if "p50_ms" in figure:
        took = f"p50 {figure['p50_ms']} ms, p99 {figure['p99_ms']} ms, longest {figure['max_ms']} ms"
        return f"| {key} | {took} | {figure['units']} at {figure['rate']:,}/s, {figure['late']} above 1 s | |"
    rounds = ", ".join(f"{rate:,.0f}" for rate in figure["rounds"])
    cpu = ", ".join(f"{name} {seconds:g}" for name, seconds in figure["cpu_seconds_per_1000"].items())
    return f"| {key} | {figure['median']:,.0f} {figure['unit']} | {rounds} | {cpu} |"
