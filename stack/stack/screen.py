"""You are at the terminal while something starts or stops: a table that moves for people, plain lines for logs."""

import time
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stack.progress import Step

MARKS = {"done": Text("✓", style="green"), "failed": Text("✗", style="red")}


def watching(console: Console) -> "Screen":
    """A listener that shows each step; `with watching(console) as listener` keeps a board moving for the block."""
    return Screen(console)


class Screen:
    """Shows each step that it is called with: on a board while it is open, as lines after it was settled."""

    def __init__(self, console: Console) -> None:
        self._board = Board()
        self._lines = PlainLines(console)
        self._live = Live(get_renderable=self._board.table, console=console, refresh_per_second=10)
        self._moving = console.is_terminal

    def __call__(self, step: Step) -> None:
        if self._moving:
            self._board(step)
        else:
            self._lines(step)

    def __enter__(self) -> Self:
        if self._moving:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.settle()

    def settle(self) -> None:
        """Leave the board as it stands; what comes next is printed below it."""
        self._live.stop()
        self._moving = False


class PlainLines:
    """One line when a step begins or ends, with the time since the first."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    def __call__(self, step: Step) -> None:
        if step.status == "running":
            return
        so_far = time.monotonic() - self._began
        said = step.detail or step.status
        self._console.print(
            f"{so_far:6.1f} s  {step.name:<14}{said} ({step.seconds:.1f} s)", markup=False, highlight=False
        )


class Board:
    """All steps so far, each with a mark, its time and what it said last."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[Step, float]] = {}
        self._spinner = Spinner("dots", style="cyan")

    def __call__(self, step: Step) -> None:
        self._steps[step.name] = (step, time.monotonic())

    def table(self) -> Table:
        """As of now: a step that runs counts on between its reports."""
        table = Table.grid(padding=(0, 2))
        for step, told_at in self._steps.values():
            running = step.status == "running"
            seconds = step.seconds + (time.monotonic() - told_at if running else 0)
            mark = self._spinner if running else MARKS[step.status]
            table.add_row(mark, step.name, f"{seconds:5.1f} s", Text(step.detail, style="dim"))
        return table
