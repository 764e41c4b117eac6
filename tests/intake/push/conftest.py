"""What the tests of pushes share: intake's application on a real port, and someone who follows it."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from tests.intake.push.follower import Follower, serving
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
