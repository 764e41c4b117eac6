"""You are at `drawdown doctor`: what is wrong here, why it matters, and what mends it.

Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage, 78 wrong configuration, 130 interrupted.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from stack.doctor import examine, machine
from stack.doctor.finding import Finding
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import home_at

MARKS = {"well": ("✓", "green"), "wrong": ("✗", "red"), "unknown": ("·", "yellow")}


def doctor(
    home: HomeFlag = None,
    as_json: JsonFlag = False,
    every: Annotated[bool, typer.Option("--all", help="Show also what is well.")] = False,
    least_disk_gb: Annotated[
        float, typer.Option("--least-disk-gb", help="A disk with less room than this is nearly full.", min=0)
    ] = machine.LEAST_DISK_GB,
    time_source: Annotated[
        str | None,
        typer.Option(
            help="URL of a server whose clock is right: its `Date` is compared.", envvar="DRAWDOWN_TIME_SOURCE"
        ),
    ] = None,
) -> None:
    """What is wrong with this machine, the stack and what the services' settings name; why it matters; what mends it.

    Works whether the stack runs or not, and changes nothing. Where the environment names databases or brokers of the
    services (INTAKE_DATABASE_URL, INTAKE_KAFKA_BOOTSTRAP and such) those are looked at too.
    Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage, 78 wrong configuration.
    """
    with err.status("looking") as status:
        wishes = examine.Wishes(least_disk_gb, time_source)
        found = list(examine.examine(home_at(home), wishes, lambda at: status.update(f"looking at {at}")))
    ill = sum(finding.status == "wrong" for finding in found)
    if as_json:
        out.print_json(json.dumps({"well": not ill, "findings": [asdict(finding) for finding in found]}))
    else:
        show(found, every=every)
    raise typer.Exit(1 if ill else 0)


def show(found: Iterable[Finding], *, every: bool) -> None:
    """One line for each finding, and below what is wrong its meaning and its cure; then the sum."""
    found = list(found)
    for finding in found:
        if every or finding.status != "well":
            mark = MARKS[finding.status]
            out.print(Text.assemble(mark, f" {finding.check}: ", finding.what), soft_wrap=True)
        if finding.status == "wrong":
            out.print(Text.assemble(("    why   ", "dim"), finding.why), soft_wrap=True)
            out.print(Text.assemble(("    mend  ", "dim"), (finding.mend, "bold")), soft_wrap=True)
    count = {status: sum(each.status == status for each in found) for status in MARKS}
    aside = f", {count['unknown']} could not be looked at" if count["unknown"] else ""
    out.print(f"{count['wrong']} wrong, {count['well']} well{aside}{'' if every else ' (--all shows everything)'}")
