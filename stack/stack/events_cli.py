"""You are at `drawdown events`: what waits, what passes by, how far behind; redrive, discard, replay.

Exit codes: 0 done, 1 failed or something stays parked, 2 wrong usage, 130 interrupted.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from stack import events, events_replay, events_tables, events_tail
from stack.errors import StackError
from stack.events import Item, Signature
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import Home, open_home

CODES = "Exit codes: 0 done, 1 failed or something stays parked, 2 wrong usage, 130 interrupted."

app = typer.Typer(
    help="Events: what is parked and why, redrive, tail, lag, replay.", epilog=CODES, no_args_is_help=True
)
parked_app = typer.Typer(help="The keys that are held; `show TOPIC KEY` for one key's events.", epilog=CODES)
app.add_typer(parked_app, name="parked", invoke_without_command=True)

ServiceFlag = Annotated[str | None, typer.Option("--service", help="Only this service; all when left out.")]
TopicArgument = Annotated[str, typer.Argument(help="The topic, e.g. intake.applications.")]
KeyArgument = Annotated[str, typer.Argument(help="The key that orders the events: a company's code, mostly.")]
WhoFlag = Annotated[str | None, typer.Option("--who", help="Who does it; kept in the audit.", envvar="DRAWDOWN_WHO")]
WhyFlag = Annotated[str | None, typer.Option("--why", help="Why: what was mended, which ticket; kept in the audit.")]
YesFlag = Annotated[bool, typer.Option("--yes", help="Do it, without asking.")]


@parked_app.callback()
def parked(
    context: typer.Context,
    service: ServiceFlag = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The keys that are held: what stopped each, how many events wait, since when."""
    if context.invoked_subcommand is None:
        _print(events.parked(open_home(home), events.services(service), topic), as_json, events_tables.parked)


@parked_app.command()
def show(
    topic: TopicArgument,
    key: KeyArgument,
    service: ServiceFlag = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """The parked events of one key, in order, each with its headers and data."""
    _print(events.shown(open_home(home), events.services(service), topic, key), as_json, events_tables.shown)


@app.command()
def redrive(
    topic: Annotated[str | None, typer.Argument(help="The topic.")] = None,
    key: Annotated[str | None, typer.Argument(help="The key.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every key that is held.")] = False,
    service: ServiceFlag = None,
    who: WhoFlag = None,
    why: WhyFlag = None,
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Handle parked events again, in order. First a dry run, which undoes what it did; then, with --yes, for good."""
    if every == (topic is not None and key is not None):
        raise typer.BadParameter("give TOPIC and KEY, or --all")
    place, held = open_home(home), events.parked(open_home(home), events.services(service), topic)
    keys = held if every else [item for item in held if item["key"] == key]
    if not keys and not every:
        raise StackError(f"{topic} has no parked events of {key}: drawdown events parked")
    if not yes and not _rehearsed(place, keys, as_json=as_json):
        return
    signed = _signed(who, why)
    with err.status("redriving") as status:
        outcomes = events.redrive(place, keys, signed, dry_run=False, tell=status.update)
    _print([{**outcome, "dry_run": False} for outcome in outcomes], as_json, events_tables.outcomes)
    raise typer.Exit(1 if any(outcome["left"] for outcome in outcomes) else 0)


def _rehearsed(home: Home, keys: Sequence[Item], *, as_json: bool) -> bool:
    """Do a dry run and show what it said; answers whether somebody at a terminal wants it for good."""
    signed = Signature(getpass.getuser(), "dry run")
    with err.status("dry run") as status:
        outcomes = events.redrive(home, keys, signed, dry_run=True, tell=status.update)
    _print([{**outcome, "dry_run": True} for outcome in outcomes], as_json, events_tables.outcomes)
    if as_json or not outcomes or not sys.stdin.isatty():
        err.print("that was a dry run: --yes does it")
        return False
    return typer.confirm("redrive these for good?", err=True)


@app.command()
def discard(
    identifier: Annotated[int, typer.Argument(metavar="ID", help="The event's id, as `parked show` prints it.")],
    service: Annotated[str, typer.Option("--service", help="The service that holds it.")],
    who: WhoFlag = None,
    why: WhyFlag = None,
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take one parked event out for good: it will never be handled. Its row stays, with who and why."""
    [chosen] = events.services(service)
    if not yes:
        typer.confirm(f"discard event {identifier} of {chosen} for good?", abort=True, err=True)
    _print([events.discard(open_home(home), chosen, identifier, _signed(who, why))], as_json, events_tables.shown)


@app.command()
def audit(service: ServiceFlag = None, home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """Who redrove or discarded what, when and why."""
    _print(events.audit(open_home(home), events.services(service)), as_json, events_tables.audit)


def _signed(who: str | None, why: str | None) -> Signature:
    """Who and why, asked for where they were not given; a terminal's user is who, where none was named."""
    if why is None and not sys.stdin.isatty():
        raise typer.BadParameter("--why is missing: what was mended, or which ticket")
    said = why or typer.prompt("why (what was mended, which ticket)", err=True)
    return Signature(who or getpass.getuser(), said)


@app.command()
def resend(
    service: Annotated[str, typer.Argument(help="The service whose outbox is published again.")],
    since: Annotated[datetime, typer.Option(help="The first moment to send again, in UTC.")],
    who: WhoFlag = None,
    why: WhyFlag = None,
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish a service's outbox again from a moment on: for topics that were lost. A dry run without --yes."""
    [chosen] = events.services(service)
    signed = _signed(who, why) if yes else Signature(getpass.getuser(), "dry run")
    done = events.resend(open_home(home), chosen, since.replace(tzinfo=UTC), signed, dry_run=not yes)
    _tell_repeated([done], f"events of {service} published again", "events", as_json=as_json)


@app.command()
def reread(
    topic: TopicArgument,
    service: ServiceFlag = None,
    who: WhoFlag = None,
    why: WhyFlag = None,
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a topic that was made anew read again from its beginning by all who read it. A dry run without --yes."""
    signed = _signed(who, why) if yes else Signature(getpass.getuser(), "dry run")
    done = events.reread(open_home(home), events.services(service), topic, signed, dry_run=not yes)
    _tell_repeated(done, f"partitions of {topic} read again", "partitions", as_json=as_json)


def _tell_repeated(done: Sequence[Item], what: str, counted: str, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(done))
        return
    for item in done:
        hint = " (a dry run: --yes does it)" if item["dry_run"] else ""
        out.print(f"{item['service']}: {item[counted]} {what}{hint}", soft_wrap=True)


@app.command()
def lag(
    service: ServiceFlag = None,
    every: Annotated[bool, typer.Option("--all", help="Also the partitions that are not behind.")] = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """How far each service is behind, and the partitions that are, each with the reason if it stands still."""
    found = events.lag(open_home(home), events.services(service))
    if as_json:
        out.print_json(json.dumps(found))
        return
    out.print(events_tables.lag_totals(found))
    if partitions := [item for item in found if every or item["lag"] or item["blocked"]]:
        out.print(events_tables.lag(partitions))
    if still := [item for item in found if item["blocked"]]:
        out.print(events_tables.blocked(still), soft_wrap=True)


@app.command()
def tail(
    topic: TopicArgument,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="All events, not only new ones.")] = False,
    stop_at_end: Annotated[bool, typer.Option("--stop-at-end", help="Stop at the present end of the topic.")] = False,
    kind: Annotated[str | None, typer.Option("--type", help="Only this type, e.g. award.issued.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only this key.")] = None,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """A topic's events as they come, decoded, one line each, until Ctrl-C: time, partition/offset, key, type, data."""
    wanted = events_tail.Wanted(topic, from_beginning, stop_at_end, kind, key)
    asyncio.run(_tail(events.bootstrap(open_home(home)), wanted, as_json))


async def _tail(bootstrap: str, wanted: events_tail.Wanted, as_json: bool) -> None:
    async for seen in events_tail.tail(bootstrap, wanted):
        sys.stdout.write(f"{seen.json() if as_json else seen.line()}\n")
        sys.stdout.flush()


@app.command()
def replay(
    projection: Annotated[str, typer.Argument(help="The projection: metrics.")],
    yes: YesFlag = False,
    home: HomeFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Build a projection again from the topics, beside the one that runs; compare; with --yes, put it in its place."""
    with err.status(f"{projection}: starting") as status:
        rebuild = events_replay.Replay(open_home(home), projection, lambda said: status.update(f"{projection}: {said}"))
        built = asyncio.run(rebuild.build())
    verdict = "the same figures as before" if built.same else "OTHER figures than before"
    err.print(f"{built.database} is built: {verdict}")
    wanted = yes or (sys.stdin.isatty() and typer.confirm("put it in the place of the one that runs?", err=True))
    kept = asyncio.run(rebuild.swap() if wanted else rebuild.drop())
    if as_json:
        out.print_json(json.dumps({"same": built.same, "swapped": wanted, "kept": kept}))
    elif wanted:
        out.print(f"{projection} goes on in the new database; the old one is kept as {kept}: drop it when you like")
    else:
        out.print("nothing was changed: --yes puts it in place")


def _print(items: Sequence[Item], as_json: bool, table: Any) -> None:
    if as_json:
        out.print_json(json.dumps(items, ensure_ascii=False))
    elif items:
        out.print(table(items), soft_wrap=True)
    else:
        out.print("nothing is parked")
