"""The system that is measured: a stack in a directory of its own, with the bank of the benchmark in finance's place."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from benchmarks.harness.progress import say
from benchmarks.lifecycle import programme
from stack.config import Config, Ports
from stack.grants import SERVICES
from stack.home import open_home
from stack.postgres import Postgres
from stack.supervisor import Stack


@asynccontextmanager
async def running(environment: Mapping[str, str] | None = None, copies: int = 1) -> AsyncIterator[Stack]:
    """Give a running stack with so many processes of each service, which is stopped and removed at the end.

    ``environment`` has settings of its services. Of what failed the logs are kept.
    """
    path = Path(tempfile.mkdtemp(prefix="drawdown-bench-"))
    config = Config(
        home=open_home(path),
        ports=Ports.free(),
        copies=copies,
        outsiders=("registers",),
        policies=programme.write(path / "policies"),
        environment={**os.environ, **(environment or {})},
    )
    try:
        async with Stack(config) as stack:
            yield stack
    except Exception:
        if config.home.logs.exists():
            say(f"the logs are kept in {shutil.move(config.home.logs, tempfile.mkdtemp(prefix='drawdown-failed-'))}")
        raise
    finally:
        shutil.rmtree(path)


async def without_services(
    stack: Stack, meanwhile: Callable[[], Awaitable[None]], names: Sequence[str] = SERVICES
) -> None:
    """Do something while our services are stopped: idle, they would still look for work many times a second."""
    if names:
        await stack.restart(names[0], lambda: without_services(stack, meanwhile, names[1:]))
    else:
        await meanwhile()


async def settle(postgres: Postgres, databases: Sequence[str]) -> None:
    """Give the planner its statistics and write out what is dirty, so that turns start alike."""
    for name in databases:
        connection = await asyncpg.connect(postgres.superuser_dsn(name))
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
    connection = await asyncpg.connect(postgres.superuser_dsn())
    await connection.execute("CHECKPOINT")
    await connection.close()
