"""You are at what the stack remembers of itself on disk: who runs in a data directory, so that the next start knows.

A lock, which the system releases when its holder dies however it dies, says that a stack runs. `state.json` says
which processes belong to it, each by id and start time; what it still lists after its lock is free was left behind.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from stack.errors import StackError
from stack.home import Home
from stack.processes import Identity

LEFTOVER_SECONDS = 20.0


@dataclass(frozen=True)
class Running:
    """One component as the state file tells it."""

    name: str
    pid: int
    birth: float
    started_at: float
    port: int
    restarts: int
    stop_signal: int

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.birth, self.started_at)


@dataclass(frozen=True)
class State:
    """The whole file. `supervisor` starts the rest, and starts again what dies."""

    supervisor: Identity
    ready: bool
    components: tuple[Running, ...] = ()

    def port(self, component: str) -> int | None:
        return next((c.port for c in self.components if c.name == component), None)


def read(home: Home) -> State | None:
    """The state, or None where no stack was started. An unreadable file is a StackError, never a guess."""
    try:
        raw: dict[str, Any] = json.loads(home.state_file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StackError(f"{home.state_file} can't be read ({error}): stop its processes, then delete it") from error
    components = tuple(Running(**component) for component in raw["components"])
    return State(Identity(**raw["supervisor"]), raw["ready"], components)


def write(home: Home, state: State) -> None:
    """Replace the file whole, so that a reader never sees half of it."""
    draft = home.state_file.with_suffix(".new")
    draft.write_text(json.dumps(asdict(state), indent=2))
    draft.replace(home.state_file)


@contextmanager
def sole_stack(home: Home) -> Iterator[None]:
    """Hold the data directory for one stack. Raises StackError, naming the holder, when another one has it."""
    with (home.path / "lock").open("a+") as lock:
        _take(lock, home)
        try:
            yield
        finally:
            home.state_file.unlink(missing_ok=True)


def _take(lock: TextIO, home: Home) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise StackError(f"a stack already runs in {home.path} (pid {lock.read().strip()}): drawdown down") from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


async def clear_leftovers(home: Home) -> list[str]:
    """End what a killed supervisor left, in the order of a normal stop; answers the components that still ran.

    Call while holding the directory. On Linux the kernel has told most of them to stop already.
    """
    state = read(home)
    if state is None:
        return []
    alive = [component for component in reversed(state.components) if component.identity.is_alive()]
    await asyncio.gather(*(c.identity.end(c.stop_signal, LEFTOVER_SECONDS) for c in alive))
    home.state_file.unlink(missing_ok=True)
    return [component.name for component in alive]
