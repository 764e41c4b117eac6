"""You are where the tests get their real parts: one PostgreSQL and one Kafka per run, started when first asked for."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stack import kafka as kafka_cluster
from stack import postgres as postgres_cluster
from stack.home import Home, open_home
from stack.kafka import Kafka
from stack.kafkadata import NodePorts
from stack.ports import free_ports
from stack.postgres import Postgres

# A shell that runs us in the background has us ignore Ctrl-C, and our children would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack_home() -> Iterator[Home]:
    """A data directory for this run only. (Not pytest's own: under root, PostgreSQL's user must be let through.)"""
    path = Path(tempfile.mkdtemp(prefix="drawdown-tests-"))
    yield open_home(path)
    shutil.rmtree(path)


@pytest.fixture(scope="session")
async def postgres(stack_home: Home) -> AsyncIterator[Postgres]:
    """PostgreSQL with the four empty databases: `.dsn(service)`, `.owner_dsn(service)`. The asker migrates."""
    [port] = free_ports(1)
    async with postgres_cluster.running(stack_home, port) as cluster:
        yield cluster


@pytest.fixture(scope="session")
async def kafka(stack_home: Home) -> AsyncIterator[Kafka]:
    """Kafka with the contract's topics: `.bootstrap`. All tests share it: use your own keys and groups."""
    client, controller = free_ports(2)
    async with kafka_cluster.running(stack_home, [NodePorts(client, controller)]) as cluster:
        yield cluster
