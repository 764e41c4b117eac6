"""What the tests of pushes share: intake's application on a real port, and someone who follows it."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from kit.database import Database
from stack.ports import free_ports
from tests.intake.push.courier import Courier
from tests.intake.push.follower import Follower, serving
from tests.intake.push.receiver import Receiver, receiving
from tests.kit.issuer import Issuer, bearing


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    """Where intake listens."""
    async with serving(app) as address:
        yield address


@pytest.fixture
def follower(issuer: Issuer) -> Follower:
    """A follower of what the portal of the scenes sends."""
    return Follower(bearing(issuer, "portal"))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A portal that is called."""
    async with receiving() as found:
        yield found


@pytest.fixture
async def courier(empty_database: Database) -> AsyncIterator[Courier]:
    """What posts to webhooks, a round at a time."""
    found = Courier(empty_database)
    yield found
    await found.close()


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    [port] = free_ports(1)
    return port
