"""What several of the simulators' tests need: the policy document, a served application."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
import yaml
from starlette.applications import Starlette

from contracts.policy import Policy

POLICIES = Path(__file__).parents[2] / "policies"

Serve = Callable[[Starlette], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def compute_voucher() -> Policy:
    document: dict[str, Any] = yaml.safe_load((POLICIES / "compute-voucher.yaml").read_text())
    return msgspec.convert(document, Policy)


@pytest.fixture
def serve() -> Serve:
    """Serve an application on a free port over real HTTP; gives a client that knows where it is."""
    return _serve


@asynccontextmanager
async def _serve(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            server.should_exit = True
            await task
