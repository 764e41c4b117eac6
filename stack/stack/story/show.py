"""You are at the story on a terminal: each chapter as it ends, and the books below the last."""

import textwrap
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.money import yuan
from stack.simulators.views import Pool
from stack.story.teller import Told
from stack.tables import STATES, bar

WIDTH: Final = 96
_LABEL: Final = 10


def chapter(console: Console, number: int, told: Told) -> None:
    """One chapter: what is done, what is said, which money moves, which figure moves, what the words mean."""
    console.print()
    console.print(Text.assemble((f"{number}  {told.title}", "bold cyan"), (f"   {told.seconds:.1f} s", "dim")))
    console.print(textwrap.indent(textwrap.fill(told.tells, WIDTH - 3), "   "), markup=False)
    if told.call:
        said = ", ".join(f"{name} {_plain(value)}" for name, value in told.call.answer.items())
        _line(console, "call", Text(f"{told.call.method} {told.call.path}  → {told.call.status}"))
        _line(console, "", Text(said, style="dim"))
    for event in told.events:
        said = ", ".join(f"{name} {_plain(value)}" for name, value in event["says"].items())
        _line(console, "event", Text.assemble((event["type"], "green"), f"  on {event['topic']}  ", (said, "dim")))
    for transfer in told.transfers:
        _line(console, "money", _move(transfer))
    for name, (before, after) in told.metrics.items():
        _line(console, "metric", Text.assemble((name, "magenta"), f"  {before:,.2f} → {after:,.2f}"))
    if told.states:
        shown = ", ".join(f"{what} {state}" for what, state in told.states.items())
        _line(console, "now", Text(shown, style="bold"))
    for term, means in told.terms.items():
        _line(console, "", Text.assemble((term, "italic"), (f": {means}", "dim")))


def books(console: Console, found: dict[str, Any]) -> None:
    """What the pool came to, and the way of the application as the portal tells it."""
    pool = _pool(found["pool"])
    console.print()
    console.print(Text("The books", style="bold cyan"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("   appropriated", yuan(pool.appropriated.amount))
    for state, colour in STATES.items():
        table.add_row(Text(f"   {state}", style=colour), yuan(pool.balances()[state]))
    table.columns[1].justify = "right"
    console.print(table)
    total = sum(pool.balances().values())
    verdict = "the four add up to what was appropriated, to the fen" if total == pool.appropriated.amount else "WRONG"
    console.print(Text.assemble("   ", bar(pool), f"  {pool.pool}: {verdict}"))
    console.print(Text.assemble("   ", ("its way  ", "dim"), " → ".join(_steps(found["timeline"]))), soft_wrap=True)


def _steps(timeline: Iterable[dict[str, Any]]) -> list[str]:
    return [happening["type"] for happening in timeline]


def _pool(item: dict[str, Any]) -> Pool:
    return msgspec.convert(item, Pool)


def _move(transfer: dict[str, Any]) -> Text:
    return Text.assemble(
        f"CNY {yuan(transfer['fen'])}  ",
        (transfer["from"], STATES.get(transfer["from"], "")),
        " → ",
        (transfer["to"], STATES.get(transfer["to"], "")),
        (f"  ({transfer['reason']}, transfer {transfer['version']} of {transfer['pool']})", "dim"),
    )


def _line(console: Console, label: str, said: Text) -> None:
    console.print(Text.assemble("   ", (f"{label:<{_LABEL}}", "dim"), said), soft_wrap=True)


def _plain(value: Any) -> str:
    """Money in yuan, lists and flags in words."""
    match value:
        case {"amount": int(amount)}:
            return f"CNY {yuan(amount)}"
        case dict():
            return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
        case list():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
