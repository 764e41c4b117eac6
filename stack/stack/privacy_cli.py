"""You are at `drawdown privacy`: one applicant's data exported or erased, the keys that it is stored under changed.

Exit codes: 0 done, 1 failed or refused, 2 wrong usage.
"""

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from stack import privacy
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import open_home, write_private

app = typer.Typer(
    help="Personal data: export or erase one applicant's, change the keys that it is stored under.",
    epilog="Exit codes: 0 done, 1 failed or refused, 2 wrong usage.",
    no_args_is_help=True,
)

Uscc = Annotated[str, typer.Argument(metavar="USCC", help="The applicant's unified social credit code.")]
ByFlag = Annotated[str | None, typer.Option("--by", help="Who does it; kept in the audit.")]
ReasonFlag = Annotated[str | None, typer.Option("--reason", help="Why, or which request; kept in the audit.")]
YesFlag = Annotated[bool, typer.Option("--yes", help="Do it, without asking.")]


@app.command()
def export(
    uscc: Uscc,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file; else standard output.")] = None,
    reason: ReasonFlag = None,
    home: HomeFlag = None,
) -> None:
    """All that is held of one applicant, in clear, as one JSON file with a manifest. Scope auditor; audited."""
    found = privacy.export(open_home(home), uscc, reason or f"export by {getpass.getuser()}")
    said = json.dumps(found, ensure_ascii=False, indent=2)
    if output is None:
        typer.echo(said)
        return
    write_private(output, said + "\n")
    rows = sum(sum(part["rows"].values()) for part in found["manifest"]["services"].values())
    err.print(f"{rows} rows of {uscc} in {output}, which only you can read", highlight=False)


@app.command()
def erase(
    uscc: Uscc,
    by: ByFlag = None,
    reason: ReasonFlag = None,
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Erase what names or pays persons of one applicant, keeping the books. A dry run without --yes. Scope ops."""
    if yes and not (by and reason):
        raise typer.BadParameter("--yes needs --by WHO and --reason WHY: both are kept")
    who, why = by or getpass.getuser(), reason or "dry run"
    found = privacy.erase(open_home(home), uscc, by=who, why=why, dry_run=not yes)
    _print(found, as_json, _erasures)
    if not yes:
        err.print("that was a dry run: --yes --by WHO --reason WHY does it")
        raise typer.Exit(1 if any(part["open"] for part in found) else 0)


@app.command()
def keys(home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """Which keys are used, and where; `in clear` is what is not sealed yet."""
    _print(privacy.keys(open_home(home)), as_json, _uses)


@app.command()
def rotate(
    seconds: Annotated[float, typer.Option("--within", help="How long to wait for the databases.")] = 600.0,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Seal with a new key from now on, and what is stored anew under it, while the services run."""
    with err.status("rotating") as status:
        found = privacy.rotate(open_home(home), seconds, status.update)
    _print(found, as_json, _uses)


@app.command("drop-key")
def drop_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The id of a key, as `keys` prints it.")],
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Destroy a key: what topics and backups hold under it can never be opened again. Refused while it is used."""
    if not yes:
        typer.confirm(f"destroy {key_id} for good?", abort=True, err=True)
    _print(privacy.drop_key(open_home(home), key_id), as_json, _uses)


def _print(found: list[dict[str, Any]], as_json: bool, table: Any) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        out.print(table(found))


def _erasures(found: list[dict[str, Any]]) -> Table:
    table = Table("service", "what", "rows")
    for part in found:
        for matter in part["open"]:
            table.add_row(part["service"], f"open: {matter}", "")
        for name, rows in part["erased"].items():
            table.add_row(part["service"], name, str(rows))
    return table


def _uses(found: list[dict[str, Any]]) -> Table:
    table = Table("service", "key", "table", "rows")
    for use in found:
        rows = f"{use['rows']} or more" if use["rows"] >= privacy.MOST_COUNTED else str(use["rows"])
        table.add_row(use["service"], use["key_id"] or "in clear", use["table"] or "not used", rows)
    return table
