"""Kafka's jars: only what the lock names, with the content that the lock names."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack import jars, repository
from stack.errors import StackError
from stack.jars import Jar, kafka_classpath, locked_jars, sha256

GOOD = b"the right jar"


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jar:
    """A lock with one small jar, and an empty cache."""
    (tmp_path / "good").write_bytes(GOOD)
    jar = Jar("org.example", "broker", "1.0", sha256(tmp_path / "good"))
    lock = tmp_path / "kafka.lock.toml"
    entry = f'groupId = "{jar.group}"\nartifactId = "{jar.artifact}"\nversion = "{jar.version}"\n'
    lock.write_text(f'[[dependencies]]\n{entry}sha256 = "{jar.sha256}"\n')
    monkeypatch.setattr(jars, "locked_jars", lambda: locked_jars(lock))
    monkeypatch.setenv("DRAWDOWN_CACHE", str(tmp_path / "cache"))
    return jar


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Makes the outside repository answer every request with these bytes."""

    def answer_with(content: bytes) -> None:
        @contextmanager
        def staging(folder: Path) -> Iterator[Callable[[Jar], Path]]:
            def fetch(jar: Jar) -> Path:
                path = folder / f".{jar.artifact}"
                path.write_bytes(content)
                return path

            yield fetch

        monkeypatch.setattr(repository, "staging", staging)

    return answer_with


def cached(jar: Jar, tmp_path: Path) -> Path:
    return tmp_path / "cache" / "jars" / jar.file_name


def test_a_missing_jar_is_fetched_once(jar: Jar, tmp_path: Path, serve: Callable[[bytes], None]) -> None:
    told: list[tuple[int, int]] = []
    serve(GOOD)
    assert kafka_classpath(lambda done, total: told.append((done, total))) == [cached(jar, tmp_path)]
    assert told == [(0, 1), (1, 1)]
    serve(b"nobody asks any more")
    assert kafka_classpath() == [cached(jar, tmp_path)]


def test_a_download_with_another_hash_is_not_used(jar: Jar, tmp_path: Path, serve: Callable[[bytes], None]) -> None:
    serve(b"something else")
    with pytest.raises(StackError, match=r"does not match the hash in kafka\.lock\.toml: not used"):
        kafka_classpath()
    assert not cached(jar, tmp_path).exists()


def test_a_changed_jar_in_the_cache_is_refused(jar: Jar, tmp_path: Path, serve: Callable[[bytes], None]) -> None:
    serve(GOOD)
    kafka_classpath()
    cached(jar, tmp_path).write_bytes(b"changed later")
    with pytest.raises(StackError, match=f"{jar.file_name} does not match .* delete it"):
        kafka_classpath()
    assert cached(jar, tmp_path).read_bytes() == b"changed later"


@pytest.mark.usefixtures("jar")
def test_nothing_more_is_fetched_after_a_stop(serve: Callable[[bytes], None], tmp_path: Path) -> None:
    serve(GOOD)
    stop = threading.Event()
    stop.set()
    kafka_classpath(None, stop)
    assert not list((tmp_path / "cache").rglob("*.jar"))


@pytest.mark.usefixtures("jar")
def test_an_unusable_cache_is_explained(tmp_path: Path, serve: Callable[[bytes], None]) -> None:
    serve(GOOD)
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(StackError, match=r"can't keep jars in .* set DRAWDOWN_CACHE"):
        kafka_classpath()


def test_the_lock_pins_every_jar_by_hash() -> None:
    locked = locked_jars()
    assert {"kafka_2.13", "kafka-tools", "log4j-slf4j-impl"} <= {jar.artifact for jar in locked}
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert len({jar.file_name for jar in locked}) == len(locked)
