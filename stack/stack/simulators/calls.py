"""HTTP as a careful outside party does it: the same call, under the same key, until there is an answer.

A time-out or a lost connection leaves the outcome unknown, so a write is repeated, and never under another key.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import httpx
import msgspec

from stack.simulators.views import Page, Problem

PAGE: Final = 200
_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 5.0

Item = TypeVar("Item")
logger = logging.getLogger(__name__)


class OutsiderError(Exception):
    """What an outside party complains about: the system did not do as the contract says."""


class NoAnswerError(OutsiderError):
    """The other side gave no usable answer for as long as the caller's patience lasts."""


class UnexpectedAnswerError(OutsiderError):
    """The other side answered a read with something other than what the contract says."""


class Caller:
    """Calls one service, patiently; counts what it had to repeat."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, patience_seconds: float = 120.0, auth: httpx.Auth | None = None
    ) -> None:
        self.repeated = 0
        self._client = client
        self._auth = auth or client.auth
        self._url = url.rstrip("/")
        self._patience_seconds = patience_seconds

    async def write(self, method: str, path: str, body: Any, key: str) -> httpx.Response:
        """Return the answer to this write, whatever it says, once there is one.

        Raises NoAnswerError, with the last thing that went wrong, when patience ends.
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return await self._call(method, path, content=msgspec.json.encode(body), headers=headers)

    async def read(self, path: str, **query: str | int) -> bytes:
        """Return the body of a 200. Raises UnexpectedAnswerError on any other final answer."""
        answer = await self._call("GET", path, params=query)
        if answer.status_code != httpx.codes.OK:
            raise UnexpectedAnswerError(f"GET {answer.url} answers {answer.status_code}: {answer.text[:300]}")
        return answer.content

    async def page(self, path: str, of: type[Item], **query: str | int) -> Page[Item]:
        """Return one page of a list. Raises UnexpectedAnswerError when its items have another shape."""
        content = await self.read(path, **query)
        try:
            return msgspec.json.decode(content, type=Page[of])  # type: ignore[valid-type]  # a type that is handed in
        except msgspec.MsgspecError as error:
            raise UnexpectedAnswerError(f"GET {self._url}{path} answers in another shape: {error}") from error

    async def pages(
        self, path: str, of: type[Item], *, cursor_name: str = "cursor", **query: str | int
    ) -> AsyncIterator[Item]:
        """Yield the items of a list, page after page."""
        cursor: dict[str, str | int] = {}
        while True:
            page = await self.page(path, of, limit=PAGE, **query, **cursor)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            cursor = {cursor_name: page.next_cursor}

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + self._patience_seconds
        pause = _PAUSE_SECONDS
        while True:
            try:
                answer = await self._client.request(method, self._url + path, auth=self._auth, **request)
            except httpx.TransportError as error:
                wrong, asked_to_wait = repr(error), None
            else:
                if not _is_temporary(answer):
                    return answer
                wrong, asked_to_wait = f"{answer.status_code} {answer.text[:200]}", _retry_after(answer)
            if time.monotonic() > deadline:
                raise NoAnswerError(f"{method} {self._url}{path} for {self._patience_seconds:.0f} s: {wrong}")
            self.repeated += 1
            await asyncio.sleep(asked_to_wait or pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def problem_code(answer: httpx.Response) -> str:
    """Return the problem's code, or the bare status where the answer is no problem document."""
    try:
        return msgspec.json.decode(answer.content, type=Problem).code or str(answer.status_code)
    except msgspec.MsgspecError:
        return str(answer.status_code)


def _is_temporary(answer: httpx.Response) -> bool:
    """A 5xx tells nothing about the outcome; 429 asks to come again."""
    return answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS


def _retry_after(answer: httpx.Response) -> float | None:
    seconds = answer.headers.get("Retry-After", "")
    return min(float(seconds), _LONGEST_PAUSE_SECONDS) if seconds.isdigit() else None
