"""You are where the stack gets stand-ins for the four services, and a data directory of its own."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from stack.grants import SERVICES
from stack.home import Home, open_home

STANDIN = Path(__file__).with_name("standin.py")


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which `python -m intake` and its like run stand-ins: they come before the real packages."""
    folder = tmp_path_factory.mktemp("standins")
    shutil.copy(STANDIN, folder)
    for service in SERVICES:
        (folder / service).mkdir()
        (folder / service / "__init__.py").touch()  # a folder without it loses to a package further down the path
        (folder / service / "__main__.py").write_text(f"import standin\nstandin.main({service!r})\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="session")
def new_home() -> Iterator[Callable[[], Home]]:
    """Makes data directories. (Not in pytest's own place: under root, PostgreSQL's user must be let through.)"""
    made: list[Home] = []

    def make() -> Home:
        made.append(open_home(Path(tempfile.mkdtemp(prefix="drawdown-test-"))))
        return made[-1]

    yield make
    for home in made:
        shutil.rmtree(home.path)


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    """A data directory for one test."""
    return new_home()
