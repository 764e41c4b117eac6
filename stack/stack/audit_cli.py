"""You are at `drawdown audit`: write a ledger to a file, verify it, in that file or as it runs.

Exit codes: 0 done and intact, 1 broken or failed, 2 wrong usage, 130 interrupted.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from stack import audit, audit_verify
from stack.audit_verify import Ledger, NoLedgerError
from stack.errors import StackError
from stack.events import Item
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import open_home

CODES = "Exit codes: 0 done and intact, 1 broken or failed, 2 wrong usage, 130 interrupted."

app = typer.Typer(help="The ledger for auditors: export it, verify it.", epilog=CODES, no_args_is_help=True)

PoolFlag = Annotated[str | None, typer.Option("--pool", help="Only this pool; all when left out.")]


@app.command()
def export(
    pool: PoolFlag = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; standard output when left out.")
    ] = None,
    home: HomeFlag = None,
) -> None:
    """Write all transfers, one a line as JSON, exactly as they were published."""
    place, count = open_home(home), 0
    with err.status("exporting"), _writing(output) as file:
        for name in audit.pools(place, pool):
            for transfer in audit.transfers(place, name):
                file.write(json.dumps(transfer, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
    err.print(f"{count} transfers; verify them anywhere: python {Path(audit_verify.__file__).name} EXPORT")


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8") as file:
        yield file


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="EXPORT", help="A file of `export`; else the running system.")
    ] = None,
    pool: PoolFlag = None,
    expect_version: Annotated[
        int | None, typer.Option("--expect-version", help="A version of the pool that is known from elsewhere.", min=1)
    ] = None,
    expect_hash: Annotated[str | None, typer.Option("--expect-hash", help="And the hash that it has there.")] = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify chain, versions, balances, identity and causes; and the end, against the copies that others keep.

    Of the running system the copies are the pool's row and metrics' last transfer.
    """
    if (expect_version is None) != (expect_hash is None) or (expect_hash is not None and pool is None):
        raise typer.BadParameter("--pool, --expect-version and --expect-hash belong together")
    kept: audit.Copies = {pool: {expect_version: {expect_hash}}} if pool and expect_version and expect_hash else {}
    ledgers = _of_file(file, pool, kept) if file else _of_system(home, pool, kept)
    if as_json:
        out.print_json(json.dumps([_shown(ledger) for ledger in ledgers]))
    else:
        out.print("\n".join(audit_verify.report(ledgers)), soft_wrap=True, markup=False)
    raise typer.Exit(1 if any(ledger.faults for ledger in ledgers) else 0)


def _of_file(file: Path, pool: str | None, kept: audit.Copies) -> list[Ledger]:
    try:
        with file.open(encoding="utf-8") as lines:
            read = (each for each in audit_verify.read_lines(lines) if pool in (None, each["pool"]))
            ledgers = audit_verify.verify(read, kept)
    except (UnicodeDecodeError, NoLedgerError) as error:
        raise StackError(f"{file}: {error}") from error
    if not any(ledger.version for ledger in ledgers):
        raise StackError(f"{file} has no transfers of {pool or 'any pool'}")
    return ledgers


def _of_system(home: Path | None, pool: str | None, kept: audit.Copies) -> list[Ledger]:
    place = open_home(home)
    chosen = audit.pools(place, pool)
    own, metrics = audit.copy_of(place, "disbursement", chosen), {}
    try:
        metrics = audit.copy_of(place, "metrics", chosen)
    except StackError as error:
        err.print(f"metrics' copy is not compared: {error}", markup=False)
    with err.status("reading the ledger"):
        transfers = (transfer for name in chosen for transfer in audit.transfers(place, name))
        return audit_verify.verify(transfers, audit.together(own, metrics, kept))


def _shown(ledger: Ledger) -> Item:
    return {
        "pool": ledger.pool,
        "version": ledger.version,
        "hash": ledger.hash,
        "appropriated": ledger.appropriated,
        **ledger.replayed,
        "faults": ledger.faults,
    }
