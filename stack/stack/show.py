"""You are at the terminal of a demonstration: a bar per stage while it runs, tables at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from contracts.money import yuan
from stack.checks import Result
from stack.report import Outcomes, Report, SchemeLine, Times
from stack.simulators import season
from stack.simulators.season import Tally
from stack.simulators.views import Target
from stack.tables import pools_table

MARKS = {True: Text("✓", style="green"), False: Text("✗", style="red")}

# What each bar counts, and of how many.
STAGES: Final = {
    "applications submitted": ("submitted", "asked"),
    "applications decided": ("decided", "submitted"),
    "approved and awarded": ("awarded", "approved"),
    "claims filed": ("claims_filed", "claims_planned"),
    "claims decided": ("claims_decided", "claims_filed"),
    "payments settled or given up": ("paid_or_given_up", "to_pay"),
}


@contextmanager
def bars(console: Console) -> Iterator[season.Progress]:
    """Show a bar per stage until the block ends; gives the function that moves them."""
    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {stage: progress.add_task(stage, total=None) for stage in STAGES}

        def move(tally: Tally) -> None:
            for stage, (done, of) in STAGES.items():
                progress.update(tasks[stage], completed=getattr(tally, done), total=getattr(tally, of) or None)

        yield move


def show(console: Console, report: Report) -> None:
    """Print pools, schemes, targets, outcomes, times and the verdict."""
    console.print("\n[bold]Pools[/bold], in yuan")
    console.print(pools_table(report.evidence.pools))
    console.print("\n[bold]Schemes[/bold], sums in yuan")
    console.print(_schemes(report.schemes))
    console.print("\n[bold]Targets[/bold] of the programme")
    console.print(_targets(report.evidence.targets))
    console.print("\n[bold]Outcomes[/bold]")
    console.print(_outcomes(report.outcomes))
    console.print("\n[bold]Times[/bold], in seconds")
    console.print(_times(report.times))
    console.print("\n[bold]Checks[/bold]")
    for result in report.results:
        _show_result(console, result)
    passed = sum(result.passed for result in report.results)
    console.print(f"\n{passed} of {len(report.results)} checks hold.", style="green" if report.passed else "bold red")


def _schemes(lines: list[SchemeLine]) -> Table:
    table = Table("scheme")
    for name in ("applications", "rejected", "awards", "awarded", "claims", "paid"):
        table.add_column(name, justify="right")
    table.add_column("limits that bit")
    for line in lines:
        counts = (str(line.applications), str(line.rejected), str(line.awards))
        table.add_row(line.scheme, *counts, yuan(line.awarded), str(line.claims), yuan(line.paid), line.limits)
    return table


def _targets(targets: list[Target]) -> Table:
    table = Table("target")
    for name in ("actual", "value"):
        table.add_column(name, justify="right")
    for each in targets:
        unit = f" {each.unit}" if each.unit else ""
        table.add_row(each.target, f"{each.actual:,}{unit}", f"{each.value:,}{unit}")
    return table


def _outcomes(outcomes: Outcomes) -> Table:
    table = Table("what", "outcome", "reason")
    table.add_column("count", justify="right")
    for (subject, outcome, reason), count in sorted(outcomes.items()):
        table.add_row(subject, outcome.replace("_", " "), reason, str(count))
    return table


def _times(times: list[Times]) -> Table:
    table = Table("from, to")
    for name in ("cases", "p50", "p99"):
        table.add_column(name, justify="right")
    for each in times:
        table.add_row(each.stretch, str(each.cases), f"{each.p50_seconds:.2f}", f"{each.p99_seconds:.2f}")
    return table


def _show_result(console: Console, result: Result) -> None:
    console.print(Text.assemble(" ", MARKS[result.passed], f" {result.name} ", (f"({result.seen})", "dim")))
    for difference in result.shown():
        console.print(Text(f"     {difference}", style="red"), soft_wrap=True)
