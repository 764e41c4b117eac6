"""You are at the flags and screens that all `drawdown` commands share."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

HomeFlag = Annotated[
    Path | None, typer.Option(help="Data directory.", envvar="DRAWDOWN_HOME", show_default=".drawdown")
]
ArchiveFlag = Annotated[
    Path | None,
    typer.Option(
        help="Directory of PostgreSQL's base backups and log: on another disk than the data.", envvar="DRAWDOWN_ARCHIVE"
    ),
]
SeedFlag = Annotated[int, typer.Option(help="What the simulated companies are drawn from.", envvar="DRAWDOWN_SEED")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
