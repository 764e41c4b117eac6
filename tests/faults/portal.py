"""You are at the portal's connection: each call goes to any of intake's processes, until one gives an answer.

Writes are logged try by try. Some are sent again after their answer, as they were (the answer must be the same) or
with another body under the same key (which must be refused).
"""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Any, Final

import httpx

from stack.simulators.calls import Caller, NoAnswerError
from tests.faults.journal import Journal, Purpose, Result

TRY_SECONDS: Final = 5.0
# httpx's pool looks at every connection for every request: a crowd of hundreds would keep this process from its work.
AT_ONCE: Final = 64
_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_REPEATED: Final = 0.05
_OTHER_BODY: Final = 0.03


class LoggedCaller(Caller):
    """A careful caller with several doors. ``closing`` set means that patience has ended."""

    def __init__(self, client: httpx.AsyncClient, doors: Sequence[str], journal: Journal, seed: int) -> None:
        super().__init__(client, doors[0])
        self.closing = asyncio.Event()
        self._client = client
        self._doors = itertools.cycle(doors)
        self._journal = journal
        self._room = asyncio.Semaphore(AT_ONCE)
        self._random = random.Random(f"repeats {seed}")

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        if method == "GET":
            return await self._until_answered(method, path, "", "first", request)
        key = request["headers"]["Idempotency-Key"]
        answer = await self._until_answered(method, path, key, "first", request)
        if answer.is_success and method == "POST":
            await self._again(method, path, key, request)
        return answer

    async def _again(self, method: str, path: str, key: str, request: dict[str, Any]) -> None:
        draw = self._random.random()
        if draw < _REPEATED:
            await self._until_answered(method, path, key, "repeated", request)
        elif draw < _REPEATED + _OTHER_BODY:
            content = request["content"].replace(b"}", b" }", 1)
            await self._until_answered(method, path, key, "other_body", {**request, "content": content})

    async def _until_answered(
        self, method: str, path: str, key: str, purpose: Purpose, request: dict[str, Any]
    ) -> httpx.Response:
        pause = _PAUSE_SECONDS
        for number in itertools.count(1):
            door = next(self._doors)
            answer: httpx.Response | None = None
            try:
                async with self._room:
                    answer = await self._client.request(method, door + path, timeout=TRY_SECONDS, **request)
                result = _result(answer)
            except httpx.TransportError:
                result = "unknown"
            if key:
                self._log(key, number, purpose, method, path, door, result, answer, request)
            if answer is not None and result != "unknown":
                return answer
            if self.closing.is_set():
                break
            self.repeated += 1
            await asyncio.sleep(max(pause, _asked_to_wait(answer)))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise NoAnswerError(f"{method} {path} had no answer before the end")

    def _log(
        self,
        key: str,
        number: int,
        purpose: Purpose,
        method: str,
        path: str,
        door: str,
        result: Result,
        answer: httpx.Response | None,
        request: dict[str, Any],
    ) -> None:
        self._journal.note(
            key=key,
            number=number,
            purpose=purpose,
            method=method,
            path=path,
            door=door,
            result=result,
            status=answer.status_code if answer is not None else None,
            request=request["content"].decode() if purpose == "first" and number == 1 else "",
            answer=answer.text if answer is not None else "",
        )


def _result(answer: httpx.Response) -> Result:
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return "unknown"
    return "ok" if answer.is_success else "fail"


def _asked_to_wait(answer: httpx.Response | None) -> float:
    """Return for how many seconds the service wants to be left alone."""
    seconds = answer.headers.get("Retry-After", "") if answer is not None else ""
    return min(float(seconds), _LONGEST_PAUSE_SECONDS) if seconds.isdigit() else 0.0
