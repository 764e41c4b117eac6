"""You are at Kafka's jars: named in `kafka.lock.toml`, kept in a cache that all stacks of a user share.

Starting the stack never resolves anything. It reads the lock, has fetched what the cache lacks, and refuses every jar
whose SHA-256 is not the locked one.
"""

import hashlib
import threading
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.home import cache_dir

LOCK_PATH = Path(__file__).with_name("kafka.lock.toml")
DOWNLOADS_AT_ONCE = 8

Progress = Callable[[int, int], None]
"""Called with (jars ready, jars in all) whenever one more has arrived, possibly from another thread."""


@dataclass(frozen=True)
class Jar:
    """One entry of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name in the cache. The hash is part of it, so that two versions of the project can share one cache."""
        return f"{self.artifact}-{self.version}-{self.sha256[:8]}.jar"


def locked_jars(path: Path = LOCK_PATH) -> list[Jar]:
    """The whole class path: jgo sorts jars into a class path and a module path, and Kafka wants both on the former."""
    entries = tomllib.loads(path.read_text())["dependencies"]
    return [Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"]) for entry in entries]


def kafka_classpath(progress: Progress | None = None, stop: threading.Event | None = None) -> list[Path]:
    """The verified jars of the locked Kafka, downloaded where missing; after `stop` no further download begins.

    Raises StackError when a jar can't be had, or when one does not match its hash.
    """
    folder = cache_dir() / "jars"
    jars = locked_jars()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [jar for jar in jars if not _present(jar, folder)]
        (progress or _ignore)(len(jars) - len(missing), len(jars))
        if missing:
            _fetch(missing, folder, len(jars), progress or _ignore, stop or threading.Event())
    except OSError as error:
        raise StackError(f"can't keep jars in {folder} ({error}): set DRAWDOWN_CACHE to another place") from error
    return [folder / jar.file_name for jar in jars]


def missing_jars() -> list[Jar]:
    """The locked jars that the cache lacks. Raises StackError where it has one with another content."""
    folder = cache_dir() / "jars"
    return [jar for jar in locked_jars() if not _present(jar, folder)]


def _ignore(_done: int, _total: int) -> None: ...


def _present(jar: Jar, folder: Path) -> bool:
    """Whether the jar is in the cache. A file with another content is refused, not replaced: someone should look."""
    path = folder / jar.file_name
    if not path.exists():
        return False
    if sha256(path) != jar.sha256:
        raise StackError(f"{path} does not match the hash in {LOCK_PATH.name}: delete it, then start again")
    return True


def _fetch(missing: list[Jar], folder: Path, total: int, progress: Progress, stop: threading.Event) -> None:
    """Download side by side. The first failure stops the rest."""
    from stack import repository  # noqa: PLC0415  # 0.3 s to load, needed once

    with repository.staging(folder) as fetch, ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        arriving = [pool.submit(_fetch_one, jar, fetch, folder, stop) for jar in missing]
        try:
            for done, arrived in enumerate(arriving, start=total - len(missing) + 1):
                arrived.result()
                progress(done, total)
        except BaseException:
            stop.set()
            raise


def _fetch_one(jar: Jar, fetch: Callable[[Jar], Path], folder: Path, stop: threading.Event) -> None:
    """Into the cache only with the right content: half a file or a wrong one never gets its final name."""
    if stop.is_set():
        return
    path = fetch(jar)
    if sha256(path) != jar.sha256:
        raise StackError(f"the repository's {path.name} does not match the hash in {LOCK_PATH.name}: not used")
    path.replace(folder / jar.file_name)


def sha256(path: Path) -> str:
    """The file's hash, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
