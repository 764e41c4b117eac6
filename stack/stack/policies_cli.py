"""You are at `drawdown policies` and `drawdown decisions`: check, publish and simulate documents; replay decisions.

Exit codes: 0 done, 1 failed or something differs, 2 wrong usage, 130 interrupted.
"""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stack import policies
from stack.errors import StackError
from stack.events import Item
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import open_home

CODES = "Exit codes: 0 done, 1 failed or something differs, 2 wrong usage, 130 interrupted."

app = typer.Typer(help="Policy documents: check, publish, simulate.", epilog=CODES, no_args_is_help=True)
decisions_app = typer.Typer(help="Decisions: run past ones again.", epilog=CODES, no_args_is_help=True)

SinceFlag = Annotated[
    datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Only what was submitted from this day on.")
]


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Documents, or directories of them.")], as_json: JsonFlag = False
) -> None:
    """Check documents; nothing has to run. Each error names file, line, column, field and cure."""
    right, wrong = policies.validate(paths)
    if as_json:
        out.print_json(json.dumps({"right": right, "wrong": wrong}, ensure_ascii=False))
    else:
        out.print("\n".join(right), soft_wrap=True, markup=False, end="\n" if right else "")
        err.print("\n".join(wrong), soft_wrap=True, markup=False, end="\n" if wrong else "")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def publish(
    path: Annotated[Path, typer.Argument(help="The document.")], home: HomeFlag = None, as_json: JsonFlag = False
) -> None:
    """Publish a version of a scheme while the system runs; no service restarts."""
    done = policies.publish(open_home(home), path)
    if as_json:
        out.print_json(json.dumps(done))
    else:
        out.print(f"{done['scheme']} {done['version']} is published ({done['content_hash'][:12]})", soft_wrap=True)


@app.command()
def simulate(
    draft: Annotated[Path, typer.Argument(help="The draft.")],
    since: SinceFlag = None,
    to_csv: Annotated[Path | None, typer.Option("--csv", help="Write who would fare otherwise to this file.")] = None,
    to_plot: Annotated[Path | None, typer.Option("--plot", help="Draw the cost by month into this SVG file.")] = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a draft over all real past applications of its scheme: who wins, who loses, what it costs."""
    with err.status("deciding again"):
        found = policies.simulate(open_home(home), draft, since.date() if since else None)
    if to_csv:
        _write_csv(to_csv, found["changes"])
    if to_plot:
        _draw(to_plot, found)
    if as_json:
        out.print_json(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)


@decisions_app.command()
def replay(
    scheme: Annotated[str | None, typer.Option(help="Only this scheme.")] = None,
    since: SinceFlag = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Run past decisions again on their frozen facts, and compare. Exit code 1 when one comes out otherwise."""
    with err.status("deciding again"):
        lines = list(policies.replay(open_home(home), scheme, since.date() if since else None))
    if not lines or "decisions" not in lines[-1]:
        raise StackError("eligibility broke off before the end: drawdown logs eligibility")
    *differences, counted = lines
    if as_json:
        out.print_json(json.dumps({**counted, "differences": differences}, ensure_ascii=False))
    else:
        for one in differences:
            out.print(f"{one['application_id']} {one['scheme']} {one['policy_version']}", soft_wrap=True)
            out.print(f"    was {json.dumps(one['was'], ensure_ascii=False)}", soft_wrap=True, markup=False)
            out.print(f"    is  {json.dumps(one['is'], ensure_ascii=False)}", soft_wrap=True, markup=False)
        out.print(f"{counted['identical']} of {counted['decisions']} decisions come out the same")
    raise typer.Exit(1 if differences else 0)


# --- what a simulation found ---------------------------------------------------------------------------------


def _show(found: Item) -> None:
    head = f"{found['scheme']} {found['version']}: {found['applications']} past applications"
    out.print(f"{head}, {found['winners']} would get more, {found['losers']} less", soft_wrap=True)
    for code, count in sorted(found["unknown"].items()):
        out.print(f"    {count} can't be told: {code} (they count as they were)", soft_wrap=True)
    table = Table("by", "", title="past and draft, in CNY")
    for name in ("supported", "draft", "awarded", "draft", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [("all", "", found["total"])]
    for by in ("by_month", "by_district", "by_size"):
        rows += [(by.removeprefix("by_"), name, pair) for name, pair in found[by].items()]
    for by, name, pair in rows:
        past, would = pair["past"], pair["draft"]
        sums = [f"{amount // 100:,}" for amount in (past["amount"], would["amount"], would["amount"] - past["amount"])]
        table.add_row(by, name, str(past["supported"]), str(would["supported"]), *sums)
    out.print(table)
    for name, years in found["envelope_exhausted_on"].items():
        for year, day in years.items():
            out.print(f"the envelope of {year} is used up on {day} ({name})", soft_wrap=True)
    for name, day in (found["pool_exhausted_on"] or {}).items():
        out.print(f"the pool is {f'used up on {day}' if day else 'not used up'} ({name})", soft_wrap=True)


def _write_csv(path: Path, changes: list[Item]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark lets spreadsheets see that it is UTF-8
        writer = csv.writer(file)
        writer.writerow(["application_id", "applicant", "district", "past_yuan", "draft_yuan", "because"])
        for one in changes:
            sums = [f"{one[name] / 100:.2f}" for name in ("past", "draft")]
            writer.writerow([one["application_id"], one["applicant"], one["district"], *sums, " ".join(one["because"])])
    err.print(f"{len(changes)} changes written to {path}", soft_wrap=True)


def _draw(path: Path, found: Item) -> None:
    import pygal  # noqa: PLC0415  # only this command needs it

    chart = pygal.Bar(title=f"{found['scheme']} {found['version']}: CNY by month", x_label_rotation=45)
    chart.x_labels = list(found["by_month"])
    for name in ("past", "draft"):
        chart.add(name, [pair[name]["amount"] // 100 for pair in found["by_month"].values()])
    path.write_bytes(chart.render())
    err.print(f"drawn to {path}", soft_wrap=True)
