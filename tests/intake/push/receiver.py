"""A webhook's other end: a server that checks each signature, remembers each call, and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn
from standardwebhooks import Webhook as Verifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.ports import free_ports
from tests.kit.conftest import eventually


class Call(msgspec.Struct):
    """One call as it came."""

    id: str
    type: str
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes

    @property
    def application_id(self) -> str:
        return str(self.body["data"].get("application_id"))

    @property
    def position(self) -> int:
        return int(self.body["position"])


Answer = Callable[[Call], int | tuple[int, dict[str, str]]]


class Receiver:
    """``answer`` decides, ``hold`` keeps all callers waiting while it is clear."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.taken: list[Call] = []
        self.secret: str | None = None
        self.answer: Answer = lambda _: 204
        self.hold = asyncio.Event()
        self.hold.set()
        self.url = ""
        self.inside = 0
        self.most_inside = 0

    async def hear(self, request: Request) -> Response:
        raw = await request.body()
        headers = dict(request.headers)
        if self.secret:
            Verifier(self.secret).verify(raw, headers)
        body = json.loads(raw)
        call = Call(headers["webhook-id"], body["type"], body, headers, raw)
        self.calls.append(call)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.hold.wait()
        finally:
            self.inside -= 1
        answer = self.answer(call)
        status, more = answer if isinstance(answer, tuple) else (answer, {})
        if 200 <= status < 300:
            self.taken.append(call)
        return Response(status_code=status, headers=more)

    @property
    def types(self) -> list[str]:
        return [call.type for call in self.taken]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on a port of its own."""
    receiver = Receiver()
    [port] = free_ports(1)
    receiver.url = f"http://127.0.0.1:{port}/hook"
    app = Starlette(routes=[Route("/hook", receiver.hear, methods=["POST"])])
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield receiver
    receiver.hold.set()
    server.should_exit = True
    await running
