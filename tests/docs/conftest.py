"""A stack for readers, as `make up` starts one, but for what a page tells them to set."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stack.config import Config, Ports
from stack.home import open_home
from stack.supervisor import Stack
from tests.docs.pages import Reader

REPOSITORY = Path(__file__).parents[2]
HOW_TO = REPOSITORY / "docs" / "how-to"


@asynccontextmanager
async def started(environment: Mapping[str, str], policies: Path | None = None) -> AsyncIterator[Stack]:
    """A stack on ports of its own, in a directory of its own."""
    home = open_home(Path(tempfile.mkdtemp(prefix="drawdown-docs-")))
    config = Config(home=home, ports=Ports.free(), environment={**os.environ, **environment}, policies=policies)
    async with Stack(config) as stack:
        yield stack
    shutil.rmtree(home.path)


async def follow(name: str, stack: Stack, folder: Path) -> None:
    """Run a page's commands; skip at the end, with the reason, where some need what is not installed."""
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    usual, here = Ports().by_name(), stack.config.ports.by_name()
    addresses = {f"127.0.0.1:{usual[part]}": f"127.0.0.1:{here[part]}" for part in usual}
    page = (HOW_TO / name).read_text("utf-8")  # a short file, before anything runs
    async with Reader(folder, {"DRAWDOWN_HOME": str(stack.config.home.path)}, addresses) as reader:
        left_out = await reader.follow(name, page)
    if left_out:
        pytest.skip(f"{name}: all other commands were run, but {'; '.join(left_out)}")
