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
    """Which process, for good: its id and when it started (seconds since the epoch, as the system tells it)."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The identity of a live process; None when there is none, or only its unburied remains."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, process.create_time())
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        now = Identity.of(self.pid)
        return now is not None and abs(now.started_at - self.started_at) < 1

    def send(self, signal_number: int) -> None:
        """Signal this process and no later one that has its id; nothing happens when it is gone."""
        if self.is_alive():
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return  # it ended in between, which is what a signal is for

    async def end(self, signal_number: int, timeout_seconds: float) -> bool:
        """Signal it, wait, then SIGKILL. True when it went by itself within `timeout_seconds`."""
        self.send(signal_number)
        if await self._gone(timeout_seconds):
            return True
        self.send(signal.SIGKILL)
        if not await self._gone(KILL_SECONDS):
            raise StackError(f"process {self.pid} does not die, even by SIGKILL: look at it with ps, then try again")
        return False

    async def _gone(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True


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
        if self._process is None or self.identity is None or not self.alive:
            return True
        by_itself = await self.identity.end(self.command.stop_signal, self.command.stop_seconds)
        self._process.wait()  # it has ended: this only takes its exit code
        return by_itself

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
