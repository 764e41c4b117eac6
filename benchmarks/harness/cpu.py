"""CPU seconds by process: steadier than times on a machine that is shared, and what capacity is computed from."""

from collections.abc import Mapping
from typing import Self

import psutil


class Watch:
    """Adds up the CPU seconds of processes and all their descendants between ``start`` and ``stop``.

    A descendant that ends in between is lost, so connections are to stay open; a process that was killed counts 0.
    """

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._before: dict[str, dict[int, float]] = {}

    def start(self) -> Self:
        self._before = {name: _seconds(process) for name, process in self._processes.items()}
        return self

    def stop(self) -> dict[str, float]:
        """Return the CPU seconds since the start, user and system together, by name."""
        now = {name: _seconds(process) for name, process in self._processes.items()}
        return {
            name: round(sum(used - self._before[name].get(pid, 0.0) for pid, used in by_pid.items()), 3)
            for name, by_pid in now.items()
        }


def _seconds(process: psutil.Process) -> dict[int, float]:
    found: dict[int, float] = {}
    try:
        family = (process, *process.children(recursive=True))
    except psutil.NoSuchProcess:
        return found
    for one in family:
        try:
            used = one.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended since we listed it
        found[one.pid] = used.user + used.system
    return found
