"""The runbooks' commands work as they stand, on a system with an application and a payment in it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack.supervisor import Stack
from tests.docs import runbooks
from tests.docs.conftest import REPOSITORY, started


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    async with started({}) as stack:
        environment = {**os.environ, "DRAWDOWN_HOME": str(stack.config.home.path)}
        command = [sys.executable, "-c", "from stack.cli import main; main()", "story", "--json"]
        story = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
        assert await story.wait() == 0
        yield stack


@pytest.mark.parametrize("name", runbooks.pages())
async def test_what_a_page_says_to_look_at_can_be_looked_at(name: str, system: Stack, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DRAWDOWN_HOME": str(system.config.home.path),
        "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    assert await asyncio.to_thread(runbooks.faults, name, tmp_path, environment) == []


@pytest.mark.parametrize("name", ["README.md", *runbooks.pages()])
def test_what_a_page_says_to_do_is_of_a_known_kind_and_can_be_read(name: str) -> None:
    for block in runbooks.blocks(name):
        assert block.kind in runbooks.KINDS, f"{name}, line {block.line}"
        assert runbooks.unreadable(block) == "", f"{name}, line {block.line}"


def test_every_page_has_something_to_look_at() -> None:
    without = [name for name in runbooks.pages() if not any(b.kind == runbooks.LOOKS for b in runbooks.blocks(name))]
    assert without == []


@pytest.mark.parametrize(
    "broken",
    ["no-such-command", "drawdown evnts lag", 'echo "psql: error: x" >&2', "curl -s localhost:1/", "echo ERROR: gone"],
)
def test_a_command_that_does_not_work_is_found(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text("```sh\nexport DRAWDOWN_HOME=x\n```\n")
    (tmp_path / "page.md").write_text(f"```sh\ntrue\necho a | grep b\n{broken}\n```\n")
    monkeypatch.setattr(runbooks, "RUNBOOKS", tmp_path)
    environment = {**os.environ, "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ['PATH']}"}
    assert runbooks.faults("page.md", tmp_path, environment)
    (tmp_path / "page.md").write_text("```sh\ntrue\necho a | grep b\n```\n")
    assert runbooks.faults("page.md", tmp_path, environment) == []
