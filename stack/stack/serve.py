"""You are at the supervisor as a process: it keeps a stack running until SIGTERM or Ctrl-C.

    python -m stack.serve '<configuration as JSON>' REPORT_FD

`drawdown up` starts it detached and reads its progress from a pipe, one JSON object a line, which ends with
`{"ready": true}` or `{"error": "...", "exit_code": n}`. What it logs goes to logs/supervisor.log.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from stack.config import Config, Ports
from stack.errors import StackError
from stack.home import open_home
from stack.processes import Identity
from stack.progress import Listener, Step
from stack.supervisor import Stack

INTERRUPTED = 130  # what a shell reports after Ctrl-C


async def serve(config: Config, listener: Listener, on_ready: Callable[[], None]) -> bool:
    """Start, call `on_ready`, run until a signal, stop. False when the signal came before all was ready."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    stack = Stack(config, listener=listener)
    if not await _started(stack, told_to_stop):
        return False
    on_ready()
    await told_to_stop.wait()
    await stack.stop()
    return True


async def _started(stack: Stack, told_to_stop: asyncio.Event) -> bool:
    starting, stopping = asyncio.ensure_future(stack.start()), asyncio.ensure_future(told_to_stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if told_to_stop.is_set() and not starting.done():
        starting.cancel()  # it stops what it has started
        await asyncio.wait({starting})
        return False
    starting.result()
    return True


@dataclass(frozen=True)
class Launched:
    """A detached supervisor and the pipe on which it reports its start."""

    process: subprocess.Popen[bytes]
    reports: TextIO

    def messages(self) -> Iterator[dict[str, Any]]:
        """Its reports until it is ready, has failed or has died."""
        for line in self.reports:
            yield json.loads(line)

    def interrupt(self) -> None:
        """Ask it to stop all it has started, and wait until it has."""
        if identity := Identity.of(self.process.pid):
            identity.send(signal.SIGTERM)
        self.process.wait()


def launch(config: Config) -> Launched:
    """Start the supervisor in a session of its own, so that it outlives this terminal."""
    read_end, write_end = os.pipe()
    with config.home.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stack.serve", _dump(config), str(write_end)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write_end],
            start_new_session=True,
        )
    os.close(write_end)
    return Launched(process, os.fdopen(read_end))


def _dump(config: Config) -> str:
    chosen = {"brokers": config.brokers, "seed": config.seed, "companies": config.companies}
    archive = str(config.archive) if config.archive else None
    return json.dumps({"home": str(config.home.path), "ports": config.ports.by_name(), "archive": archive, **chosen})


def _load(text: str) -> Config:
    raw = json.loads(text)
    home, ports, archive = open_home(Path(raw.pop("home"))), Ports(**raw.pop("ports")), raw.pop("archive")
    return Config(home=home, ports=ports, archive=Path(archive) if archive else None, **raw)


class Reports:
    """The writing end of the pipe. A reader who went away is no reason to stop."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w")

    def step(self, step: Step) -> None:
        self.send(asdict(step))

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(message) + "\n")
            self._file.flush()
        except BrokenPipeError:
            self._file = Path(os.devnull).open("w")  # noqa: SIM115  # for the rest of this process

    def ready(self) -> None:
        """Say so and hang up. What follows (a stop, one day) is for nobody in particular."""
        self.send({"ready": True})
        self._file.close()
        self._file = Path(os.devnull).open("w")  # noqa: SIM115  # for the rest of this process


def main(configuration: str, report_descriptor: str) -> int:
    """Be the detached supervisor; answers its exit code."""
    reports = Reports(int(report_descriptor))
    try:
        finished = asyncio.run(serve(_load(configuration), reports.step, reports.ready))
    except (StackError, OSError) as error:
        code = getattr(error, "exit_code", 1)
        reports.send({"error": str(error), "exit_code": code})
        return int(code)
    return 0 if finished else INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
