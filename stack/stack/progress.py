"""You are where a start or a stop tells how far it is: steps that begin, move and end, each with its time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Status = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Step:
    """One step, as of now. `seconds` counts from the step's own beginning."""

    name: str
    status: Status
    seconds: float
    detail: str = ""


Listener = Callable[[Step], None]


def ignore(_step: Step) -> None:
    """For starts that nobody watches."""


@contextmanager
def step(listener: Listener, name: str, done: str = "ready") -> Iterator[Callable[[str], None]]:
    """Tell the listener when the body begins and how it ends; the body may tell details in between."""
    began = time.monotonic()

    def tell(detail: str, status: Status = "running") -> None:
        listener(Step(name, status, time.monotonic() - began, detail))

    tell("")
    try:
        yield tell
    except BaseException:
        tell("", "failed")
        raise
    tell(done, "done")
