"""You are at the logs: the supervisor's own, and reading everybody's."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLLOW_POLL_SECONDS = 0.2


@contextmanager
def supervisor_log(path: Path) -> Iterator[None]:
    """Write this package's log lines to `path`, in UTC like everybody else's."""
    handler = logging.FileHandler(path)
    handler.formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    handler.formatter.converter = time.gmtime
    logger = logging.getLogger("stack")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, read from its end, however long it is."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1_000 * (lines + 1)))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def about(paths: list[Path], application_id: str) -> list[tuple[Path, str]]:
    """All lines about one application, by time: those that name it, and those of the traces that such a line names.

    The logs are read twice from their beginnings; only what is found is held.
    """
    traces = {
        trace_id
        for path in paths
        for line in _lines(path)
        if application_id in line and (trace_id := _entry(line).get("trace_id"))
    }
    wanted = (application_id, *sorted(traces))
    found: list[tuple[str, Path, str]] = []
    for path in paths:
        said_at = ""
        for line in _lines(path):
            if any(name in line for name in wanted):
                said_at = str(_entry(line).get("time", said_at))  # a line without a time belongs to the one before
                found.append((said_at, path, line))
    found.sort(key=lambda one: one[0])
    return [(path, line) for _, path, line in found]


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:  # another component's, or one for a terminal
        return {}
    return entry if isinstance(entry, dict) else {}


def last_words(path: Path) -> str:
    """What a component said last, for an error message of one line."""
    said = [line.strip() for line in tail(path, 5) if line.strip()]
    return f"{said[-1][:300]} (see {path})" if said else f"see {path}"


def follow(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Whole lines as they are written, for ever; a log that does not exist yet is read once it does."""
    ends = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    while True:
        for path in paths:
            text, ends[path] = _written_since(path, ends[path])
            yield from ((path, line) for line in text.splitlines())
        time.sleep(FOLLOW_POLL_SECONDS)


def _written_since(path: Path, offset: int) -> tuple[str, int]:
    """The whole lines after `offset`, and where they end. A log that was rotated is read from its beginning."""
    if not path.exists():
        return "", offset
    with path.open("rb") as file:
        file.seek(offset if path.stat().st_size >= offset else 0)
        start, data = file.tell(), file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), start + len(whole)
