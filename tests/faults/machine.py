"""You are at the machine: how much of it others took, because a time that was measured beside them says nothing."""

import os
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """Processor seconds since some start: of everybody, and of this suite with all that it started."""

    at: float
    all_seconds: float
    own_seconds: float

    def taken_by_others_since(self, before: "Usage") -> float:
        """The share of the machine that others took since then."""
        elapsed = max(0.1, self.at - before.at) * (os.cpu_count() or 1)
        return max(0.0, (self.all_seconds - before.all_seconds - self.own_seconds + before.own_seconds) / elapsed)


def usage() -> Usage:
    """What was used until now."""
    total = psutil.cpu_times()
    idle = total.idle + getattr(total, "iowait", 0.0)
    me = psutil.Process()
    own = sum(_seconds(process) for process in [me, *me.children(recursive=True)])
    return Usage(time.monotonic(), sum(total[:8]) - idle, own)


def _seconds(process: psutil.Process) -> float:
    """Of a process and of those of its children that have ended."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0
