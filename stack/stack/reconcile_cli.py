"""You are at `drawdown reconcile`: do the books agree with each other, and if not, which of them, where, since when."""

import json

import typer
from rich.table import Table
from rich.text import Text

from contracts.money import yuan
from stack import reconcile as comparing
from stack.events import Item
from stack.events_tables import moment
from stack.flags import HomeFlag, JsonFlag, err, out
from stack.home import open_home


def reconcile(home: HomeFlag = None, as_json: JsonFlag = False) -> None:
    """Show whether the books agree, and explain each difference.

    Entries = balances, books add up, the chain, awards, payments and the outbox's topics (as disbursement found them);
    metrics = ledger and payments = the bank (compared now). Exit codes: 0 nothing differs, 1 something does or could
    not be asked.
    """
    with err.status("comparing"):
        found = comparing.report(open_home(home))
    if as_json:
        out.print_json(json.dumps(found, ensure_ascii=False))
    else:
        out.print(_table(found["books"]["items"]))
        out.print(_words(found), soft_wrap=True)
    raise typer.Exit(1 if found["differences"] else 0)


def _table(items: list[Item]) -> Table:
    table = Table("pool", "check", "difference CNY", "checked")
    for item in items:
        amount = item["difference"]["amount"] if item["difference"] else None
        shown = Text("never checked" if amount is None else yuan(amount), style="green" if amount == 0 else "red")
        table.add_row(item["pool"], item["check"], shown, moment(item["checked_at"] or ""))
    return table


def _words(found: Item) -> Text:
    lines = []
    for each in found["differences"]:
        since = f" since {moment(each['since'])}" if each.get("since") else ""
        lines.append(f"{each['check']}, {each['pool'] or 'all pools'}{since}:")
        lines += [f"    {words}" for words in each["detail"]]
    lines += [f"{pool} is on hold: {why}. Two persons resume it: pool.resume" for pool, why in found["on_hold"].items()]
    for flaw in found["books"]["known_flaws"]:
        lines.append(f"known: {flaw['pool']}, transfer {flaw['version']}: {flaw['why']} ({flaw['signed_by']})")
    if reports := found["bank_reports_that_fit_nothing"]:
        lines.append(
            f"{reports} bank reports moved nothing because they fit no payment as it stands: /v1/discrepancies"
        )
    lines.append("nothing differs" if not found["differences"] else f"{len(found['differences'])} differ")
    return Text("\n".join(lines))
