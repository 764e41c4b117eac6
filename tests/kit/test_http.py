"""The HTTP side that all services share: how large a body may be, for all calls and for a few."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Request

from kit.bodies import MAX_BODY_BYTES
from kit.door import Door
from kit.http import create_app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        service="test", title="test", description="", trouble={}, body_limits={"/files": 2 * MAX_BODY_BYTES}
    )

    @app.post("/{name}")
    async def measure(name: str, request: Request) -> int:
        return len(await request.body())

    @app.post("/json/any")
    async def take(body: dict[str, Any]) -> int:
        return len(body)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(("path", "limit"), [("/orders", MAX_BODY_BYTES), ("/files", 2 * MAX_BODY_BYTES)])
async def test_a_body_may_be_as_large_as_its_path_allows(client: httpx.AsyncClient, path: str, limit: int) -> None:
    taken = await client.post(path, content=b" " * limit)
    refused = await client.post(path, content=b" " * (limit + 1))

    assert taken.json() == limit
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"name": "深'.encode()[:-1], "no UTF-8 at byte 10"),
        (b'{"name": ', "Can't parse the JSON"),
    ],
)
async def test_what_cannot_be_parsed_is_malformed_whatever_is_wrong_with_it(
    client: httpx.AsyncClient, body: bytes, said: str
) -> None:
    headers = {"content-type": "application/json", "accept-language": "en"}
    refused = await client.post("/json/any", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_json")
    assert said in refused.json()["detail"]


async def test_who_hangs_up_in_line_has_sent_what_it_sent() -> None:
    """The whole body is there and the caller has gone by the time the call begins."""
    app = create_app(service="test", title="test", description="", trouble={}, door=Door(most=10, seconds=9, at_once=1))
    taken: list[dict[str, Any]] = []
    hung_up = asyncio.Event()

    @app.post("/json/any")
    async def take(body: dict[str, Any]) -> int:
        taken.append(body)
        return len(taken)

    async def call(number: int) -> None:
        body = b'{"number": %d}' % number
        sent = [
            {"type": "http.request", "body": body[:5], "more_body": True},
            {"type": "http.request", "body": body[5:], "more_body": False},
        ]

        async def receive() -> dict[str, Any]:
            return sent.pop(0) if sent and not hung_up.is_set() else {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            return

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/json/any",
            "raw_path": b"/json/any",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }
        await app(scope, receive, send)

    calls = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    hung_up.set()
    await asyncio.gather(*calls)
    assert taken == [{"number": number} for number in range(5)]
