"""You are at the tables that people read: what runs, and how far each pool is drawn down."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from contracts.money import yuan
from stack.simulators.views import Pool
from stack.state import Running

BAR_CELLS = 17
STATES = {"available": "green", "committed": "yellow", "obligated": "cyan", "disbursed": "blue"}


@dataclass(frozen=True)
class Health:
    """A component, and what it says is wrong with it (None: nothing)."""

    component: Running
    trouble: str | None

    def as_json(self) -> dict[str, object]:
        return {**asdict(self.component), "healthy": self.trouble is None, "trouble": self.trouble}


def status_table(components: Iterable[Health]) -> Table:
    """Component, process, port, since when, how often started again, how it is."""
    table = Table("component", "pid", "port", "since", "restarts", "health")
    for health in components:
        running = health.component
        since = datetime.fromtimestamp(running.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        how = Text(health.trouble, style="red") if health.trouble else Text("ready", style="green")
        table.add_row(running.name, str(running.pid), str(running.port), since, str(running.restarts), how)
    return table


def pools_table(pools: Sequence[Pool]) -> Table:
    """The books of each pool in yuan, one pool a column (three of them fit into 80 characters), and a bar to scale."""
    table = Table("CNY")
    for pool in pools:
        table.add_column(pool.pool, justify="right", no_wrap=True)
    table.add_row("appropriated", *(yuan(pool.appropriated.amount) for pool in pools), end_section=True)
    for state, colour in STATES.items():
        table.add_row(Text(state, style=colour), *(yuan(pool.balances()[state]) for pool in pools))
    table.add_row("", *(bar(pool) for pool in pools))
    return table


def bar(pool: Pool) -> Text:
    """What is drawn down, and the rest; a state that holds anything shows in one cell at least."""
    bar = Text()
    for state in ("disbursed", "obligated", "committed"):
        bar.append("█" * _cells(pool, state), style=STATES[state])
    bar.append("░" * max(0, BAR_CELLS - len(bar)), style=STATES["available"])
    bar.truncate(BAR_CELLS)
    return bar


def _cells(pool: Pool, state: str) -> int:
    held = pool.balances()[state]
    return max(1, round(BAR_CELLS * held / pool.appropriated.amount)) if held and pool.appropriated.amount else 0
