"""Small registers that a test can break: a real HTTP server on loopback, with a switch for each kind of trouble."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

PATHS = {
    "business_registration": "/business-registration/companies/{uscc}",
    "credit_record": "/credit-records/{uscc}",
    "related_companies": "/related-companies/{uscc}",
    "provider": "/providers/{uscc}",
}


class FakeRegisters:
    """``answers`` overrides (register, code), or (register, "*") for all; a value is (status, body, content type)."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()
        self.app = Starlette(routes=[Route(path, self._endpoint(name)) for name, path in PATHS.items()])

    def reset(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, bytes, str]] = {}
        self.delay_seconds = 0.0
        self.drip_seconds = 0.0
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0

    def answer(self, register: str, body: Any, *, code: str = "*", status: int = 200) -> None:
        self.answers[register, code] = (status, msgspec.json.encode(body), "application/json")

    def page(self, register: str, html: str, *, code: str = "*", status: int = 200) -> None:
        self.answers[register, code] = (status, html.encode(), "text/html")

    def fail(self, *names: str) -> None:
        for register in names or PATHS:
            self.answer(register, {"detail": "out of order"}, status=503)

    async def until_asked(self, times: int) -> None:
        """Wait until so many answers were asked of the first register."""
        while self.asked["business_registration"] < times:  # noqa: ASYNC110  # a count, not an event
            await asyncio.sleep(0.01)

    def _endpoint(self, name: str) -> Any:
        async def endpoint(request: Request) -> Response:
            self.asked[name] += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(self.delay_seconds)
            self.at_once -= 1
            code = request.path_params["uscc"]
            given = self.answers.get((name, code), self.answers.get((name, "*")))
            status, body, kind = given or (200, msgspec.json.encode(_usual(name, code)), "application/json")
            if self.drip_seconds:
                return StreamingResponse(_dripping(body, self.drip_seconds), status, media_type=kind)
            return Response(body, status, media_type=kind)

        return endpoint


async def _dripping(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    """Yield a body byte by byte, with so long a pause before each."""
    for byte in body:
        await asyncio.sleep(seconds)
        yield bytes([byte])


def _usual(name: str, code: str) -> dict[str, Any]:
    usual: dict[str, dict[str, Any]] = {
        "business_registration": {"uscc": code, "name": "示例", "status": "active", "registered_on": "2024-05-06"},
        "credit_record": {"uscc": code, "blacklisted": False},
        "related_companies": {"uscc": code, "group": code, "members": [code]},
        "provider": {"uscc": code, "listed": True, "services": ["compute"]},
    }
    return usual[name]
