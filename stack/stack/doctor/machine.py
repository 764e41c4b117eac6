"""You are where the doctor looks at the machine: room on the disks, memory, open files."""

import os
import resource
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from stack.doctor.finding import Finding, well, wrong
from stack.home import Home, cache_dir
from stack.state import State

LEAST_DISK_GB = 2.0
LEAST_MEMORY_GB = 1.5
"""Free before a start: a stack takes 1.2 GB at rest, and a season of applications some more."""
LEAST_MEMORY_RUNNING_GB = 0.25
LEAST_OPEN_FILES = 4096
"""The broker keeps three files open for each partition's segment (94 partitions), PostgreSQL up to 1,000 a process."""
MOST_FILES_SHARE = 0.8
GB = 1e9


def disks(home: Home, least_gb: float) -> Iterator[Finding]:
    """Room where the data are, where downloads are kept, and where `demo` has its directory; each disk once."""
    places = {"data": home.path, "cache": cache_dir(), "temporary files": Path(tempfile.gettempdir())}
    by_disk: dict[int, list[str]] = {}
    for use, place in places.items():
        by_disk.setdefault(_existing(place).stat().st_dev, []).append(use)
    for uses in by_disk.values():
        yield disk(", ".join(uses), _existing(places[uses[0]]), least_gb)


def disk(use: str, place: Path, least_gb: float) -> Finding:
    """Room on one disk, in bytes and in entries for files."""
    name, held = f"disk: {use}", os.statvfs(place)
    free_gb = held.f_bavail * held.f_frsize / GB
    why = "PostgreSQL and Kafka stop at the first write that finds no room; nothing is lost, and nothing goes on"
    if free_gb < least_gb:
        said = f"{place} has {free_gb:.2f} GB left, less than {least_gb:g}"
        return wrong(name, said, why=why, mend=f"make room: du -xh {place} | sort -h | tail; or move it with --home")
    if held.f_files and held.f_favail < held.f_files // 100:
        said = f"{place} has room for {held.f_favail} more files only"
        return wrong(name, said, why=why, mend=f"remove files: du -x --inodes {place} | sort -n | tail")
    return well(name, f"{free_gb:.1f} GB left on {place}")


def _existing(place: Path) -> Path:
    return next(path for path in (place, *place.parents) if path.exists())


def memory(*, running: bool) -> Finding:
    """What may still be had, of the machine or of the limit that we are under (a container's)."""
    least, available = (LEAST_MEMORY_RUNNING_GB if running else LEAST_MEMORY_GB), available_memory() / GB
    if available < least:
        said = f"{available:.2f} GB can still be had, less than {least:g}"
        why = "the kernel ends the largest process when memory runs out: Kafka or PostgreSQL, in the middle of work"
        return wrong("memory", said, why=why, mend="end what takes it: ps aux --sort=-rss | head")
    return well("memory", f"{available:.1f} GB can be had")


def available_memory(limits: Path = Path("/sys/fs/cgroup")) -> int:
    """In bytes."""
    free = int(psutil.virtual_memory().available)
    limit, used = limits / "memory.max", limits / "memory.current"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        return min(free, int(most) - int(used.read_text()))
    return free


def open_files(limit: int | None = None) -> Finding:
    """How many files a process that we start may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    if soft != resource.RLIM_INFINITY and soft < LEAST_OPEN_FILES:
        why = "the broker ends when it can't open its files, and a service answers 503 when it can't open connections"
        said = f"a process may have {soft} files open, less than {LEAST_OPEN_FILES}"
        return wrong("open files", said, why=why, mend=f"ulimit -n {LEAST_OPEN_FILES}; then drawdown down; drawdown up")
    return well("open files", f"a process may have {'any number' if soft == resource.RLIM_INFINITY else soft}")


def files_of_components(known: State | None) -> Iterator[Finding]:
    """Which running components are close to their own limit."""
    counted: dict[str, tuple[int, int]] = {}
    for component in known.components if known else ():
        if component.identity.is_alive() and (files := _files_of(component.pid)):
            counted[component.name] = files
    if counted:
        yield from close_to_limit(counted)


def close_to_limit(counted: Mapping[str, tuple[int, int]]) -> Iterable[Finding]:
    """Of (open, most) by component."""
    close = [f"{name} {used} of {most}" for name, (used, most) in counted.items() if used > MOST_FILES_SHARE * most]
    if close:
        why = "at its limit a component can open neither files nor connections"
        mend = "drawdown down; ulimit -n 65536; drawdown up"
        return [wrong("open files in use", ", ".join(close), why=why, mend=mend)]
    name = max(counted, key=lambda each: counted[each][0])
    return [well("open files in use", f"most by {name}: {counted[name][0]} of {counted[name][1]}")]


def _files_of(pid: int) -> tuple[int, int] | None:
    """None where the system does not tell (another user's process, another system than Linux)."""
    try:
        process = psutil.Process(pid)
        return process.num_fds(), process.rlimit(psutil.RLIMIT_NOFILE)[0]
    except (psutil.Error, AttributeError):
        return None
