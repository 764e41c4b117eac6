"""You are at one operating-system process: start it with its log, know whether it is still the same one, stop it.

A process id alone proves nothing, since ids are used again: an identity is the id and the time at which it started.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack.errors import StackError
from stack.logs import last_words

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.05
KILL_SECONDS = 10.0
LOG_LIMIT_BYTES = 20_000_000


@dataclass(frozen=True)
class Identity:
    """Which process, for good. `birth` counts from the boot where the system tells it so (Linux), because the clock may
    be set while we run; `started_at` is for people (seconds since the epoch).
    """

    pid: int
    birth: float
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The identity of a live process; None when there is none, or only its unburied remains."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, _birth(process), process.create_time())
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            return None

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        now = Identity.of(self.pid)
        return now is not None and now.birth == self.birth

    def send(self, signal_number: int) -> None:
        """Signal this process and no later one that has its id; nothing happens when it is gone."""
        if self.is_alive():
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return  # it ended in between, which is what a signal is for

    async def end(self, signal_number: int, timeout_seconds: float) -> bool:
        """Signal it, wait, then SIGKILL. True when it went by itself within `timeout_seconds`."""
        return await _end(self.send, lambda: not self.is_alive(), signal_number, timeout_seconds)


def _birth(process: psutil.Process) -> float:
    """The 22nd field of Linux's /proc/PID/stat (the second one, a name in parentheses, may hold anything)."""
    if not sys.platform.startswith("linux"):
        return process.create_time()
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return float(fields[19])


async def _end(
    send: Callable[[int], None], gone: Callable[[], bool], signal_number: int, timeout_seconds: float
) -> bool:
    for number, seconds in ((signal_number, timeout_seconds), (signal.SIGKILL, KILL_SECONDS)):
        send(number)
        deadline = time.monotonic() + seconds
        while not gone():
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        else:
            return number == signal_number
    raise StackError("a process does not die, even by SIGKILL: look for it with ps, then try again")


@dataclass(frozen=True)
class Command:
    """What to run and how it ends. Whatever it prints goes to `log`."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str = "-"
    """`uid:gid` to run as another user than root."""
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 15.0
    orphan_signal: int = signal.SIGKILL
    """What the kernel sends when the supervisor is gone: services are built to be killed, databases are not."""


class Child:
    """One process of ours, which may be started again."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.identity: Identity | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal); None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches only the supervisor, which stops in order.

        Call from a thread that lives as long as the child should: Linux ties the child to the thread that forked it.
        """
        assert not self.alive, f"{self.name} runs already"
        command = self.command
        guard = (sys.executable, "-I", "-S", GUARD, str(os.getpid()), str(int(command.orphan_signal)), command.user)
        _rotate(command.log)
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*guard, *command.argv],
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.identity = Identity.of(self._process.pid)

    async def stop(self) -> bool:
        """End it by its own signal within its own time, else by SIGKILL. True when it went by itself."""
        if self._process is None or not self.alive:
            return True
        send = self._process.send_signal  # our own child keeps its id until we have taken its exit code
        return await _end(send, lambda: not self.alive, self.command.stop_signal, self.command.stop_seconds)

    async def until(self, ready: Callable[[], Awaitable[str | None]], timeout_seconds: float) -> None:
        """Wait until `ready` answers None instead of what is missing.

        Raises StackError with the log's last words when the process ends first, or when the time is up.
        """
        deadline = time.monotonic() + timeout_seconds
        while (missing := await ready()) is not None:
            if not self.alive:
                raise StackError(
                    f"{self.name} ended while starting, exit code {self.exit_code}: {last_words(self.command.log)}"
                )
            if time.monotonic() > deadline:
                log = self.command.log
                raise StackError(f"{self.name} is not ready after {timeout_seconds:.0f} s ({missing}): see {log}")
            await asyncio.sleep(POLL_SECONDS)


def _rotate(log: Path) -> None:
    """Keep one older log once the current one is large, so that a stack started daily does not fill the disk."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
