"""You are where Kafka's jars come from: resolved once into `kafka.lock.toml`, then fetched by hash into a shared cache.

Starting the stack never resolves anything. It reads the lock, takes what the cache lacks, and refuses
every jar whose SHA-256 is not the locked one. `python -m stack.jars VERSION` writes the lock anew.
"""

import hashlib
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.env import LockedDependency, LockFile
from jgo.maven import Dependency, MavenContext

from stack.errors import StackError
from stack.home import cache_dir

LOCK_PATH = Path(__file__).with_name("kafka.lock.toml")
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 4
HTTP_TIMEOUT_SECONDS = 30

Progress = Callable[[int, int], None]
"""Called with (jars ready, jars in all) whenever one more has arrived."""

_log = logging.getLogger(__name__)


def kafka_classpath(progress: Progress | None = None, *, cache: Path | None = None) -> list[Path]:
    """The verified jars of the locked Kafka, downloaded where missing.

    Raises StackError when a jar can't be had, or when one does not match its hash.
    """
    locked = LockFile.load(LOCK_PATH).dependencies
    folder = (cache or cache_dir()) / "jars"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _verified(locked, folder, progress)
    except OSError as error:
        raise StackError(f"can't keep jars in {folder} ({error}): set DRAWDOWN_CACHE to another place") from error


def kafka_version() -> str:
    """The version that the lock pins, e.g. `4.3.1`."""
    return next(d.version for d in LockFile.load(LOCK_PATH).dependencies if d.artifactId == "kafka_2.13")


def _verified(locked: list[LockedDependency], folder: Path, progress: Progress | None) -> list[Path]:
    """Check what is there, fetch the rest side by side, each into its final place only when its hash is right."""
    missing = [d for d in locked if not _present(d, folder)]
    _report(progress, len(locked) - len(missing), len(locked))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as staging:
        context = MavenContext(repo_cache=Path(staging), timeout=HTTP_TIMEOUT_SECONDS)
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            arriving = pool.map(lambda d: _fetch(d, context, folder), missing)
            for done, _ in enumerate(arriving, start=len(locked) - len(missing) + 1):
                _report(progress, done, len(locked))
    return [folder / jar_name(d) for d in locked]


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress(done, total)


def jar_name(locked: LockedDependency) -> str:
    """The file in the cache. The hash is part of the name, so that two versions of the project share one cache."""
    assert locked.sha256, f"{locked} has no hash in {LOCK_PATH.name}"
    return f"{locked.artifactId}-{locked.version}-{locked.sha256[:8]}.jar"


def _present(locked: LockedDependency, folder: Path) -> bool:
    """Whether the jar is in the cache. A file with another content is refused, not replaced: someone should look."""
    path = folder / jar_name(locked)
    if not path.exists():
        return False
    if _sha256(path) != locked.sha256:
        raise StackError(f"{path} does not match the hash in {LOCK_PATH.name}: delete it, then start again")
    return True


def _fetch(locked: LockedDependency, context: MavenContext, folder: Path) -> None:
    """One jar into the cache: the resolver writes into staging, and only the right content is moved out of it."""
    path = _download(locked, context)
    if _sha256(path) != locked.sha256:
        raise StackError(f"the repository's {path.name} does not match the hash in {LOCK_PATH.name}: not used")
    path.replace(folder / jar_name(locked))


def _download(locked: LockedDependency, context: MavenContext) -> Path:
    component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
    artifact = component.artifact(locked.classifier or "", locked.packaging)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return Path(artifact.resolve())
        except (requests.RequestException, RuntimeError) as error:  # jgo raises RuntimeError for any answer but 200
            _log.warning("%s, attempt %d of %d: %s", artifact.filename, attempt, ATTEMPTS, error)
            _discard(artifact.cached_path)
            if attempt < ATTEMPTS:
                time.sleep(2**attempt / 2)
    raise StackError(f"can't download {artifact.filename}: check the network, then start again")


def _discard(partial: Path | None) -> None:
    """Away with half a file: the resolver would take it for the whole."""
    if partial:
        partial.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock(version: str, path: Path = LOCK_PATH) -> int:
    """Resolve Kafka `version` anew and write the lock; answers how many jars it names."""
    with tempfile.TemporaryDirectory() as repository:
        context = MavenContext(repo_cache=Path(repository), timeout=HTTP_TIMEOUT_SECONDS)
        dependencies = sorted(_resolve(context, version), key=str)
        LockFile.from_resolved_dependencies(dependencies, environment_name="kafka").save(path)
    return len(dependencies)


def _resolve(context: MavenContext, version: str) -> Iterable[Dependency]:
    """The broker with all it needs, and two jars that its metadata leaves to the distribution:

    the command-line tools (alone: their own dependencies are Kafka Connect's web server) and the bridge from
    SLF4J to the Log4j that the broker already brings.
    """
    inputs, broker = _closure(context, f"org.apache.kafka:kafka_2.13:{version}")
    log4j_version = next(d.version for d in broker if d.artifactId == "log4j-core")
    alone = [f"org.apache.kafka:kafka-tools:{version}", f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j_version}"]
    return [*inputs, *broker, *(context.create_dependency(coordinate) for coordinate in alone)]


def _closure(context: MavenContext, coordinate: str) -> tuple[list[Dependency], list[Dependency]]:
    inputs, transitive = context.resolver.resolve([context.create_dependency(coordinate)])
    return inputs, transitive


if __name__ == "__main__":
    count = write_lock(sys.argv[1])
    sys.stdout.write(f"{LOCK_PATH.name}: {count} jars\n")
