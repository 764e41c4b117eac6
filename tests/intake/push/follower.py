"""A portal that follows the stream of events as the standard has it, and a server for applications under test."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from stack.ports import free_ports
from tests.kit.conftest import eventually


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application on a port of its own; yield its address."""
    [port] = free_ports(1)
    config = uvicorn.Config(app, port=port, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await running


class Follower:
    """Remembers every event and the last id, and comes back with it."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.last: str | None = None
        self.seen: list[dict[str, Any]] = []
        self.comments: list[str] = []
        self.retry_ms = 0

    async def follow(self, url: str, enough: Callable[[], bool], query: str = "", seconds: float = 30) -> bool:
        """Read until it is enough or the server ends the stream; return whether it was enough."""
        headers = self.headers | ({"last-event-id": self.last} if self.last else {})
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=None, trust_env=False) as client,
            client.stream("GET", f"{url}/v1/events{query}", headers=headers) as response,
        ):
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                event = self._hear(line, event)
                if enough():
                    return True
        return enough()

    def _hear(self, line: str, event: dict[str, str]) -> dict[str, str]:
        if line.startswith(":"):
            self.comments.append(line)
        elif line:
            name, value = line.split(": ", 1)
            if name == "retry":
                self.retry_ms = int(value)
            return event | {name: value}
        elif "data" in event:
            self.last = event["id"]
            self.seen.append({"id": event["id"], "event": event["event"], "data": json.loads(event["data"])})
        return event if line.startswith(":") else {}

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What was told, without what is said of the stream itself."""
        return [event for event in self.seen if not event["event"].startswith("stream.")]

    @property
    def types(self) -> list[str]:
        return [event["event"] for event in self.changes]
