"""You are at the `drawdown` command: flags to configuration, results to the screen; what happens is elsewhere.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration, 130 interrupted.
"""

import errno
import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from stack import (
    archive_cli,
    audit_cli,
    commands,
    curls,
    doctor_cli,
    events_cli,
    policies_cli,
    privacy_cli,
    reconcile_cli,
    story_cli,
    tables,
)
from stack.apps import SIMULATORS
from stack.config import Config, Ports
from stack.errors import StackError
from stack.flags import ArchiveFlag, HomeFlag, JsonFlag, SeedFlag, err, out
from stack.grants import SERVICES
from stack.home import open_home
from stack.logs import about, follow, tail
from stack.manners import Manner
from stack.ports import LOOPBACK

app = typer.Typer(
    help="Drawdown on one machine: real Kafka, real PostgreSQL, the four services and simulated outsiders.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(events_cli.app, name="events")
app.add_typer(audit_cli.app, name="audit")
app.add_typer(privacy_cli.app, name="privacy")
app.add_typer(policies_cli.app, name="policies")
app.add_typer(policies_cli.decisions_app, name="decisions")
app.command()(reconcile_cli.reconcile)
app.command()(doctor_cli.doctor)
app.command()(archive_cli.backup)
app.command()(archive_cli.restore)
app.command()(story_cli.story)

FreeFlag = Annotated[bool, typer.Option("--free-ports", help="Take ports that nobody uses instead of the usual ones.")]


def _port(name: str) -> object:
    variable = f"DRAWDOWN_{name.upper()}_PORT"
    return typer.Option(
        help=f"Port of {name.replace('_', ' ')}.", envvar=variable, min=1, max=65535, show_default=False
    )


@app.command()
def up(
    home: HomeFlag = None,
    free_ports: FreeFlag = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in front until Ctrl-C.")] = False,
    as_json: JsonFlag = False,
    seed: SeedFlag = 1,
    companies: Annotated[int | None, typer.Option(help="Companies that the registers know.", min=1)] = None,
    archive: ArchiveFlag = None,
    intake_port: Annotated[int | None, _port("intake")] = None,
    eligibility_port: Annotated[int | None, _port("eligibility")] = None,
    disbursement_port: Annotated[int | None, _port("disbursement")] = None,
    metrics_port: Annotated[int | None, _port("metrics")] = None,
    registers_port: Annotated[int | None, _port("registers")] = None,
    finance_port: Annotated[int | None, _port("finance")] = None,
    kafka_port: Annotated[int | None, _port("kafka")] = None,
    kafka_controller_port: Annotated[int | None, _port("kafka_controller")] = None,
    postgres_port: Annotated[int | None, _port("postgres")] = None,
) -> None:
    """Start everything; print the addresses and three commands to try. Ctrl-C while it starts stops it all."""
    chosen = {name: value for name, value in locals().items() if name.endswith("_port")}
    ports = (Ports.free() if free_ports else Ports()).but({k.removesuffix("_port"): v for k, v in chosen.items()})
    config = Config(
        home=open_home(home),
        ports=ports,
        seed=seed,
        companies=companies,
        archive=archive.absolute() if archive else None,
    )

    def tell() -> None:
        if as_json:
            out.print_json(json.dumps(_addresses(config)))
        else:
            _print_addresses(config)

    code = commands.up_in_front(config, err, tell) if foreground else commands.up(config, err, tell)
    raise typer.Exit(code)


@app.command()
def down(home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """Stop everything that runs in the data directory."""
    with err.status("stopping"):
        stopped = commands.down(open_home(home))
    if as_json:
        out.print_json(json.dumps(asdict(stopped)))
    else:
        out.print(str(stopped), soft_wrap=True)


@app.command()
def status(home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """What runs, where, since when, and how it is. Exit code 1 when anything is not well."""
    healths = commands.status(open_home(home))
    if as_json:
        out.print_json(json.dumps([health.as_json() for health in healths]))
    elif healths:
        out.print(tables.status_table(healths))
    else:
        out.print("nothing runs here: drawdown up")
    raise typer.Exit(0 if healths and not any(health.trouble for health in healths) else 1)


@app.command()
def logs(
    component: Annotated[str | None, typer.Argument(help="One component; all when left out.")] = None,
    home: HomeFlag = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.", min=0)] = 20,
    application: Annotated[
        UUID | None, typer.Option(help="All lines about this application instead, by time, from the beginning.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """The last lines of one component's log, or of all, each line with its component."""
    if application and follow_on:
        raise typer.BadParameter("--application reads what is there; it can't go on with --follow")
    paths = commands.log_files(open_home(home), component)
    width = 0 if component else max(len(path.stem) for path in paths)
    if application:
        for path, line in about(paths, str(application)):
            _print_line(path, line, width, as_json=as_json)
        return
    for path in paths:
        for line in tail(path, lines):
            _print_line(path, line, width, as_json=as_json)
    if follow_on:
        for path, line in follow(paths):
            _print_line(path, line, width, as_json=as_json)


@app.command()
def pools(home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """How far each pool is drawn down, as the metrics service shows it."""
    answer = commands.pools(open_home(home))
    if as_json:
        out.print_json(answer.raw)
    else:
        out.print(tables.pools_table(answer.pools))


@app.command()
def token(
    home: HomeFlag = None,
    scope: Annotated[list[str] | None, typer.Option(help="What its holder may do; several times for several.")] = None,
    subject: Annotated[str, typer.Option(help="Whose token it is.")] = "officer-1",
    minutes: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=1440)] = 60,
    rotate_keys: Annotated[
        bool, typer.Option("--rotate-keys", help="Sign with a new key from now on; older tokens stay valid.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print an access token of the local issuer, whether the stack runs or not."""
    chosen = open_home(home)
    made = commands.token(chosen, subject=subject, scopes=scope or [], minutes=minutes, new_key=rotate_keys)
    said = {"access_token": made, "token_type": "Bearer", "expires_in": 60 * minutes, "scope": " ".join(scope or [])}
    sys.stdout.write(f"{json.dumps(said) if as_json else made}\n")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kafka_console_consumer(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="The topic to read from its beginning.")],
    home: HomeFlag = None,
) -> None:
    """Kafka's own console consumer: each record's headers, key and value. Further arguments are handed on to it,

    for example `--max-messages 10`, `--timeout-ms 5000`, `--partition 0 --offset latest`.
    """
    raise typer.Exit(commands.console_consumer(open_home(home), topic, context.args))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kafka_console_producer(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="The topic to write to.")],
    home: HomeFlag = None,
) -> None:
    """Kafka's own console producer: one record for each line of its input, as the console consumer prints them:

    `name:value,name:value`, a tab, the key, a tab, the value. Further arguments are handed on to it.
    """
    raise typer.Exit(commands.console_producer(open_home(home), topic, context.args))


@app.command()
def demo(
    home: HomeFlag = None,
    companies: Annotated[int, typer.Option(help="Companies that apply.", min=1)] = 300,
    seed: SeedFlag = 1,
    finance: Annotated[Manner, typer.Option(help="How the finance system behaves.")] = Manner.USUAL,
    as_json: JsonFlag = False,
) -> None:
    """Start a fresh stack, run a season of applications to its end, check the books, stop. Exit code 1 if wrong."""
    raise typer.Exit(commands.demo(home, companies=companies, seed=seed, finance=finance, as_json=as_json))


def _print_line(path: Path, line: str, width: int, *, as_json: bool) -> None:
    """One line: as JSON, else after its component's name where there is room for it."""
    if as_json:
        line = json.dumps({"component": path.stem, "line": line}, ensure_ascii=False)
    elif width:
        line = f"{path.stem:<{width}} | {line}"
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _addresses(config: Config) -> dict[str, str]:
    urls = {name: f"http://{LOOPBACK}:{config.ports.by_name()[name]}" for name in (*SERVICES, *SIMULATORS)}
    brokers = {name: f"{LOOPBACK}:{config.ports.by_name()[name]}" for name in ("kafka", "postgres")}
    return {**urls, **brokers, "home": str(config.home.path)}


def _print_addresses(config: Config) -> None:
    urls = _addresses(config)
    for name, address in urls.items():
        out.print(f"{name:<14}{address}{f'  (calls: {address}/docs)' if name in SERVICES else ''}")
    out.print(f"{'public page':<14}{urls['metrics']}/  (?lang=en for English)")
    for what, command in curls.commands(urls, config.home.path, config.seed, date.today()):  # noqa: DTZ011  # the caller's calendar
        out.print(f"\n[dim]# {what}[/dim]")
        out.print(command, soft_wrap=True, markup=False)


def main() -> None:
    """Run the command; whatever is in the way outside the code is one line and an exit code."""
    try:
        app()
    except StackError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        advice = ": free some space, or choose another place with --home" if error.errno == errno.ENOSPC else ""
        _complain(f"{error}{advice}")
        sys.exit(1)


def _complain(line: str) -> None:
    err.print(f"drawdown: {line}", markup=False, soft_wrap=True)
