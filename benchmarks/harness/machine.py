"""The machine and the moment: without them no absolute figure means anything."""

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

_PAGE: Final = b"\0" * 8192
_COMMITS: Final = 50


def facts() -> dict[str, Any]:
    """Return what the machine is, with the date."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def moment(directory: Path) -> dict[str, float]:
    """Return the load of the last minute and what a commit costs now on the disk of ``directory``."""
    return {"load": round(os.getloadavg()[0], 2), "commit_ms": round(1000 * commit_seconds(directory), 3)}


def commit_seconds(directory: Path) -> float:
    """Return the median time of writing a page and having it on disk (fdatasync, as PostgreSQL's WAL does)."""
    path = directory / "commit-probe"
    times = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(_COMMITS):
            os.pwrite(descriptor, _PAGE, 0)
            began = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return median(times)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
