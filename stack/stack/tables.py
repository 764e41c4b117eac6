"""You are at the tables that people read: what runs, and how far each pool is drawn down."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from contracts.money import yuan
from stack.simulators.views import Pool
from stack.state import Running

BAR_CELLS = 30
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


def pools_table(pools: Iterable[Pool]) -> Table:
    """Each pool's books in yuan, and a bar of the four states to scale."""
    table = Table("pool")
    table.add_column("appropriated", justify="right")
    for state, colour in STATES.items():
        table.add_column(Text(state, style=colour), justify="right")
    table.add_column("")
    for pool in pools:
        balances = pool.balances()
        money = (f"¥{yuan(balances[state])}" for state in STATES)
        table.add_row(pool.pool, f"¥{yuan(pool.appropriated.amount)}", *money, bar(pool))
    return table


def bar(pool: Pool) -> Text:
    """The four states side by side; one that holds anything shows in one cell at least."""
    bar = Text()
    for state in ("disbursed", "obligated", "committed"):
        bar.append("█" * _cells(pool, state), style=STATES[state])
    bar.append("░" * max(0, BAR_CELLS - len(bar)), style=STATES["available"])
    bar.truncate(BAR_CELLS)
    return bar


def _cells(pool: Pool, state: str) -> int:
    held = pool.balances()[state]
    return max(1, round(BAR_CELLS * held / pool.appropriated.amount)) if held and pool.appropriated.amount else 0
