"""The HTTP side that all services share: how large a body may be, for all calls and for a few."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request

from kit.bodies import MAX_BODY_BYTES
from kit.http import create_app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        service="test", title="test", description="", trouble={}, body_limits={"/files": 2 * MAX_BODY_BYTES}
    )

    @app.post("/{name}")
    async def measure(name: str, request: Request) -> int:
        return len(await request.body())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(("path", "limit"), [("/orders", MAX_BODY_BYTES), ("/files", 2 * MAX_BODY_BYTES)])
async def test_a_body_may_be_as_large_as_its_path_allows(client: httpx.AsyncClient, path: str, limit: int) -> None:
    taken = await client.post(path, content=b" " * limit)
    refused = await client.post(path, content=b" " * (limit + 1))

    assert taken.json() == limit
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
