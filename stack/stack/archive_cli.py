"""You are at `drawdown backup` and `drawdown restore`: base backups, and one service's database from the archive.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration, 130 interrupted.
"""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stack import events
from stack.archive import Archive
from stack.errors import ConfigurationError
from stack.flags import ArchiveFlag, HomeFlag, JsonFlag, err, out
from stack.home import open_home
from stack.postgres import Postgres
from stack.restore import Restore


def backup(archive: ArchiveFlag = None, home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """Take a base backup of all databases while they run, into the archive of `drawdown up --archive`.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.
    """
    place = open_home(home)
    with err.status("copying the databases"):
        base = asyncio.run(_named(archive).back_up(Postgres(place, events.port(place, "postgres"))))
    if as_json:
        out.print_json(json.dumps({"base": str(base)}))
    else:
        out.print(f"{base}", soft_wrap=True)


def restore(
    service: Annotated[str, typer.Argument(help="Whose database: intake, eligibility, disbursement or metrics.")],
    archive: ArchiveFlag = None,
    until: Annotated[
        datetime | None, typer.Option(help="The moment to go back to, in UTC; else as late as the archive can.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, without asking.")] = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring one service's database back from the archive, while the others go on. What was there is kept aside.

    A database that was dropped comes back as it was just before. See docs/runbooks/database-restore.md before --until.
    Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.
    """
    place, [chosen] = open_home(home), events.services(service)
    named = _named(archive)
    if not yes:
        typer.confirm(f"put {chosen}'s database in its place from {named.path}?", abort=True, err=True)
    postgres = Postgres(place, events.port(place, "postgres"))
    with err.status("restoring") as status:
        work = Restore(place, named, postgres, lambda said: status.update(f"restoring: {said}"))
        done = asyncio.run(work.run(chosen, until.replace(tzinfo=UTC) if until else None))
    if as_json:
        out.print_json(json.dumps(asdict(done)))
        return
    out.print(f"{chosen} is back {done.until}, its last event of {done.recovered_to}, in {done.seconds} s")
    if done.kept_as:
        out.print(f"what was there is kept as {done.kept_as}: drop it when you like")


def _named(archive: Path | None) -> Archive:
    if archive is None:
        raise ConfigurationError("no archive is named: --archive DIRECTORY, or DRAWDOWN_ARCHIVE")
    return Archive(archive.absolute())
