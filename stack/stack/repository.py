"""You are at the outside repository of jars, through `jgo`: one download at a time, and the making of the lock.

python -m stack.repository VERSION      resolves Kafka VERSION anew and writes kafka.lock.toml
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from jgo.env import LockFile
from jgo.maven import Dependency, MavenContext

from stack.errors import StackError
from stack.jars import LOCK_PATH, Jar

ATTEMPTS = 4
HTTP_TIMEOUT_SECONDS = 30

_log = logging.getLogger(__name__)


@contextmanager
def staging(folder: Path) -> Iterator[Callable[[Jar], Path]]:
    """A function that downloads a jar into a temporary place beside its final one, on the same disk."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as place:
        context = MavenContext(repo_cache=Path(place), timeout=HTTP_TIMEOUT_SECONDS)
        yield lambda jar: _download(jar, context)


def _download(jar: Jar, context: MavenContext) -> Path:
    """Raises StackError after a few attempts."""
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
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


def write_lock(version: str, path: Path = LOCK_PATH) -> int:
    """Resolve Kafka `version` anew and write the lock; answers how many jars it names."""
    with tempfile.TemporaryDirectory() as place:
        context = MavenContext(repo_cache=Path(place), timeout=HTTP_TIMEOUT_SECONDS)
        dependencies = sorted(_resolve(context, version), key=str)
        LockFile.from_resolved_dependencies(dependencies, environment_name="kafka").save(path)
    return len(dependencies)


def _resolve(context: MavenContext, version: str) -> Iterable[Dependency]:
    """The broker with all it needs, and two jars that its metadata leaves to the distribution:

    the command-line tools (alone: their own dependencies are Kafka Connect's web server) and the bridge from
    SLF4J to the Log4j that the broker already brings.
    """
    inputs, needed = context.resolver.resolve([context.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")])
    log4j_version = next(each.version for each in needed if each.artifactId == "log4j-core")
    alone = [f"org.apache.kafka:kafka-tools:{version}", f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j_version}"]
    return [*inputs, *needed, *(context.create_dependency(coordinate) for coordinate in alone)]


if __name__ == "__main__":
    count = write_lock(sys.argv[1])
    sys.stdout.write(f"{LOCK_PATH.name}: {count} jars\n")
