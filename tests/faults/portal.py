"""You are at the portal's connection: each call goes to any of intake's processes, until one gives an answer.

Writes are logged try by try. Some are sent again after their answer, as they were (the answer must be the same) or
with another body under the same key (which must be refused).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from stack.simulators.calls import Caller, NoAnswerError
from tests.faults.journal import Journal, Purpose, Result

TRY_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_REPEATED: Final = 0.05
_OTHER_BODY: Final = 0.03


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a try ended, and after how long; ``lost`` names the error where there was no answer."""

    seconds: float
    result: Result
    lost: str
    answer: httpx.Response | None


class LoggedCaller(Caller):
    """A careful caller with several doors. ``closing`` set means that patience has ended."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        doors: Sequence[str],
        journal: Journal,
        seed: int,
        auth: httpx.Auth | None = None,
    ) -> None:
        super().__init__(client, doors[0], auth=auth)
        self.closing = asyncio.Event()
        self._client = client
        self._doors = itertools.cycle(doors)
        self._journal = journal
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
            lost = ""
            began = time.monotonic()
            try:
                answer = await self._client.request(
                    method, door + path, auth=self._auth, timeout=TRY_SECONDS, **request
                )
                result = _result(answer)
            except httpx.TransportError as error:
                result, lost = "unknown", type(error).__name__
            if key:
                ended = Ended(seconds=time.monotonic() - began, result=result, lost=lost, answer=answer)
                self._log(key, number, purpose, method, path, door, ended, request)
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
        ended: Ended,
        request: dict[str, Any],
    ) -> None:
        answer = ended.answer
        self._journal.note(
            key=key,
            number=number,
            purpose=purpose,
            method=method,
            path=path,
            door=door,
            result=ended.result,
            lost=ended.lost,
            seconds=round(ended.seconds, 3),
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
