"""You are at how `drawdown events` looks: tables of what waits, what was redriven, how far each service is behind."""

import json
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from stack.events import Item


def parked(items: Sequence[Item]) -> Text:
    """One block for each key that is held; whole keys, because they are copied into the next command."""
    return _blocks(_held(item) for item in items)


def _held(item: Item) -> list[str]:
    again = f"tried again at {moment(item['next_try_at'])}" if item["family"] == "not_yet" else "waits for a person"
    events = f"{item['events']} event{'s' * (item['events'] != 1)}"
    return [
        f"{item['service']}  {item['topic']} {item['key']}",
        f"    {events} since {moment(item['parked_at'])}, {item['family']}, {again}",
        f"    {item['reason']}",
    ]


def shown(items: Sequence[Item]) -> Text:
    """One block for each event: where it stood, why it waits, its headers and its data."""
    return _blocks(_event(item) for item in items)


def _event(item: Item) -> list[str]:
    return [
        f"{item['id']}  {item['service']}  {item['topic']} {item['partition']}/{item['offset']}  key {item['key']}",
        f"    {item['state']} since {moment(item['parked_at'])}, {item['family']}: {item['reason']}",
        f"    {item['error_class'] or 'no error of its own'}, {item['attempts']} attempts",
        *(f"    {name}: {value}" for name, value in item["headers"].items()),
        f"    {json.dumps(item['value'], ensure_ascii=False)}",
    ]


def outcomes(items: Sequence[Item]) -> Text:
    """One block for each key that was redriven, or would be."""
    return _blocks(_outcome(item) for item in items)


def _outcome(item: Item) -> list[str]:
    done = "would be handled" if item["dry_run"] else "handled"
    stopped = [f"    stopped by: {item['stopped_by']}"] if item["stopped_by"] else []
    return [
        f"{item['service']}  {item['topic']} {item['key']}: {item['handled']} {done}, {item['left']} left",
        *stopped,
    ]


def audit(items: Sequence[Item]) -> Text:
    """One line for each redrive, discard, resend or reread."""
    return Text("\n").join(
        Text(
            f"{moment(item['at'])} {item['service']} {item['who']} {item['action']} {item['topic']} {item['key']}"
            f" ({item['handled']}): {item['why']}"
        )
        for item in items
    )


def _blocks(blocks: Iterable[Sequence[str]]) -> Text:
    return Text("\n\n").join(Text("\n".join(line.replace("\n", " ") for line in block)) for block in blocks)


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
    table = Table("service", "topic/partition", "next", "end", "behind")
    for item in items:
        numbers = (str(item[name]) for name in ("next_offset", "end_offset", "lag"))
        table.add_row(item["service"], Text(_place(item), no_wrap=True), *numbers)
    return table


def blocked(items: Sequence[Item]) -> Text:
    """One line for each partition that stands still."""
    return Text("\n").join(
        Text(f"{item['service']} {_place(item)}: {item['blocked']}", style="red") for item in items if item["blocked"]
    )


def _place(item: Item) -> str:
    return f"{item['topic']}/{item['partition']}"


def moment(text: str) -> str:
    """A time as people read it: to the second, in UTC as it was given."""
    return text[:19].replace("T", " ")
