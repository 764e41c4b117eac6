"""You are in a service's process whose clock can be set: ``python -m tests.faults.clock <service> run``.

SIGUSR1 has it look how many seconds its clock is ahead: in ``clocks/<its process id>``, in its working directory. The
wall clock of Python and of what is built on it jumps (dates, logs, headers, identifiers); the monotonic clock, by
which the loops wait, does not, as on a machine whose clock is set.
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import time_machine
import uuid_utils.compat

CLOCKS: Final = "clocks"


class Clock:
    """The process's wall clock, which is right until somebody sets it."""

    def __init__(self) -> None:
        self._shift: time_machine.travel | None = None
        self._uuid7 = uuid_utils.compat.uuid7

    def set(self, *_: Any) -> None:
        """Be ahead by what the file says; with 0 be right again."""
        seconds = float(Path(CLOCKS, str(os.getpid())).read_text())
        if self._shift:
            self._shift.stop()
        self._shift = time_machine.travel(time.time() + seconds) if seconds else None
        if self._shift:
            self._shift.start()

    def uuid7(self, *, nanoseconds: int | None = None) -> UUID:
        """An identifier of the time that the process believes in; its library asks the system by itself."""
        return self._uuid7(nanoseconds=time.time_ns() if self._shift else nanoseconds)


def main(service: str, *verb: str) -> None:
    """Make the clock adjustable and become the service."""
    clock = Clock()
    uuid_utils.compat.uuid7 = clock.uuid7
    signal.signal(signal.SIGUSR1, clock.set)
    sys.argv = [service, *verb]
    runpy.run_module(service, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
