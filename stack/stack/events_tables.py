"""You are at how `drawdown events` looks: tables of what waits, what was redriven, how far each service is behind."""

import json
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from stack.events import Item


def parked(items: Sequence[Item]) -> Table:
    """One line for each key that is held."""
    table = Table("service", "topic", "key", "family", "events", "since", "next try", "reason")
    for item in items:
        again = moment(item["next_try_at"]) if item["family"] == "not_yet" else "a person"
        table.add_row(
            item["service"],
            item["topic"],
            Text(item["key"]),
            item["family"],
            str(item["events"]),
            moment(item["parked_at"]),
            again,
            Text(item["reason"]),
        )
    return table


def shown(items: Sequence[Item]) -> Text:
    """One block for each event: where it stood, why it waits, its headers and its data."""
    return Text("\n\n").join(_event(item) for item in items)


def _event(item: Item) -> Text:
    lines = [
        f"{item['id']}  {item['service']}  {item['topic']} {item['partition']}/{item['offset']}  key {item['key']}",
        f"    {item['state']} since {moment(item['parked_at'])}, {item['family']}: {item['reason']}",
        f"    {item['error_class'] or 'no error of its own'}, {item['attempts']} attempts",
        *(f"    {name}: {value}" for name, value in item["headers"].items()),
        f"    {json.dumps(item['value'], ensure_ascii=False)}",
    ]
    return Text("\n".join(lines))


def outcomes(items: Sequence[Item]) -> Table:
    """One line for each key that was redriven, or would be."""
    table = Table(
        "service", "topic", "key", "would be handled" if items[0]["dry_run"] else "handled", "left", "stopped by"
    )
    for item in items:
        reason = Text(item["stopped_by"] or "", style="red")
        counts = (str(item["handled"]), str(item["left"]))
        table.add_row(item["service"], item["topic"], Text(item["key"]), *counts, reason)
    return table


def audit(items: Sequence[Item]) -> Table:
    """One line for each redrive or discard."""
    table = Table("at", "service", "who", "what", "topic", "key", "events", "why")
    for item in items:
        what = (moment(item["at"]), item["service"], Text(item["who"]), item["action"], item["topic"])
        table.add_row(*what, Text(item["key"]), str(item["handled"]), Text(item["why"]))
    return table


def lag_totals(items: Sequence[Item]) -> Table:
    """One line for each service."""
    table = Table("service", "partitions", "events behind", "blocked partitions")
    for service in dict.fromkeys(item["service"] for item in items):
        own = [item for item in items if item["service"] == service]
        blocked = sum(item["blocked"] is not None for item in own)
        table.add_row(service, str(len(own)), str(sum(item["lag"] for item in own)), str(blocked))
    return table


def lag(items: Sequence[Item]) -> Table:
    """One line for each partition."""
    table = Table("service", "topic", "partition", "next", "end", "behind", "blocked")
    for item in items:
        numbers = (str(item[name]) for name in ("partition", "next_offset", "end_offset", "lag"))
        table.add_row(item["service"], item["topic"], *numbers, Text(item["blocked"] or "", style="red"))
    return table


def moment(text: str) -> str:
    """A time as people read it: to the second, in UTC as it was given."""
    return text[:19].replace("T", " ")
