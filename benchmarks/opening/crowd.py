"""The crowd, in a process of its own: every click at its moment, whether or not the one before was answered.

Behind each click stands a good portal: it waits 5 s for an answer, comes back under the same key after a time-out, a
lost connection, a 503 or a 429, leaves the service alone for as long as that asks for, and longer each time. Latencies
count from the moment at which somebody clicked.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from typing import Any, Final
from uuid import UUID

import msgspec

from benchmarks.opening.plan import Intent, Manner, Plan, Refused, intents
from benchmarks.opening.wire import Answer, Wire

PATH: Final = "/v1/applications"
ANSWER_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 180.0
_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_AGAIN_AT_ONCE: Final = 16
COME_BACK: Final = (429, 503)


class Told(msgspec.Struct):
    """What intake's answers said about one intent. ``answers`` are the digests of all 2xx: there must be one."""

    application_id: UUID | None = None
    accepted_at: float | None = None
    answers: set[bytes] = msgspec.field(default_factory=set)
    refusals: set[Refused] = msgspec.field(default_factory=set)


class Heard(msgspec.Struct):
    """All that the crowd heard. Seconds count from the opening; ``latencies`` are of accepted and refused clicks."""

    told: dict[int, Told]
    latencies: list[float]
    first_latencies: list[float]
    tries: Counter[str]
    wrong: list[str]
    late_seconds: float
    connections: int
    last_answer: float


class Crowd:
    """Sends the plan. ``open`` is for ``harness.remote``: the methods are called from the benchmark's process."""

    def __init__(self, wire: Wire, plan: Plan) -> None:
        self._wire = wire
        self._intents = list(intents(plan))
        self._draw = random.Random(f"crowd {plan.seed}")
        self._opening = 0.0
        self._heard = Heard({}, [], [], Counter(), [], 0.0, 0, 0.0)

    @classmethod
    async def open(cls, host: str, port: int, token: str, plan: Plan) -> "Crowd":
        return cls(Wire(host, port, token, ANSWER_SECONDS), plan)

    async def play(self, opening: float) -> Heard:
        """Send everything; ``opening`` is the moment 0, by the machine's monotonic clock."""
        self._opening = opening
        due = sorted((moment, intent.number, at) for intent in self._intents for at, moment in enumerate(intent.clicks))
        clicks: set[asyncio.Task[None]] = set()
        for moment, number, at in due:
            if (wait := opening + moment - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._heard.late_seconds = max(self._heard.late_seconds, self._now() - moment)
            click = asyncio.create_task(self._click(self._intents[number], at))
            clicks.add(click)
            click.add_done_callback(clicks.discard)
        while clicks:
            await asyncio.gather(*clicks)
        self._heard.connections = self._wire.opened
        return self._heard

    async def again(self, numbers: list[int]) -> list[str]:
        """Send these once more under their keys; return in words which are not answered as before."""
        before = {number: set(self._heard.told[number].answers) for number in numbers}
        places = asyncio.Semaphore(_AGAIN_AT_ONCE)

        async def once(number: int) -> str | None:
            async with places:
                answer = await self._until_answered(self._intents[number], self._now() + PATIENCE_SECONDS)
            same = answer is not None and {_digest(answer)} == before[number]
            return None if same else f"intent {number} sent again: {answer and (answer.status, answer.body[:200])}"

        return [said for said in await asyncio.gather(*map(once, numbers)) if said]

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    def _now(self) -> float:
        return time.monotonic() - self._opening

    async def _click(self, intent: Intent, at: int) -> None:
        moment = intent.clicks[at]
        if at == 0 and intent.manner in {Manner.HANGS_UP_MIDWAY, Manner.HANGS_UP_AFTER}:
            await self._hang_up(intent)
            return
        answer = await self._until_answered(intent, moment + PATIENCE_SECONDS)
        if answer is None:
            self._heard.wrong.append(f"intent {intent.number} had no answer for {PATIENCE_SECONDS:.0f} s")
            return
        now = self._now()
        self._heard.last_answer = max(self._heard.last_answer, now)
        self._heard.latencies.append(now - moment)
        if at == 0:
            self._heard.first_latencies.append(now - moment)
        self._note(intent, answer, now)

    async def _hang_up(self, intent: Intent) -> None:
        midway = intent.manner is Manner.HANGS_UP_MIDWAY
        try:
            await self._wire.hang_up(PATH, intent.body, intent.key, midway=midway)
        except OSError as error:
            self._heard.tries[f"hung up: {type(error).__name__}"] += 1
        else:
            self._heard.tries["hung up"] += 1

    async def _until_answered(self, intent: Intent, deadline: float) -> Answer | None:
        pause = _PAUSE_SECONDS
        while self._now() < deadline:
            try:
                answer = await self._wire.post(PATH, intent.body, intent.key)
            except (OSError, TimeoutError) as error:
                self._heard.tries[f"lost: {type(error).__name__}"] += 1
                await asyncio.sleep(pause * self._draw.uniform(0.5, 1.5))
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            self._heard.tries[f"{answer.status} {_code(answer)}".strip()] += 1
            if answer.status not in COME_BACK:
                return answer
            asked = answer.headers.get("retry-after", "")
            if not asked.isdigit():
                self._heard.wrong.append(f"{answer.status} without Retry-After: {answer.body[:200]!r}")
            await asyncio.sleep(max(float(asked or 1), pause) + self._draw.uniform(0, 0.5))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return None

    def _note(self, intent: Intent, answer: Answer, now: float) -> None:
        told = self._heard.told.setdefault(intent.number, Told())
        if answer.status == 201:
            told.answers.add(_digest(answer))
            told.application_id = UUID(msgspec.json.decode(answer.body)["application_id"])
            told.accepted_at = now if told.accepted_at is None else told.accepted_at
            return
        told.refusals.add(_refusal(answer))
        self._heard.wrong += [f"intent {intent.number}: {said}" for said in ill_formed(answer)]


def ill_formed(answer: Answer) -> list[str]:
    """Return what is wrong with a refusal: RFC 9457, a stable code, words in the language that was asked for."""
    said = f"{answer.status} {answer.body[:200]!r}"
    if answer.headers.get("content-type") != "application/problem+json":
        return [f"no problem document: {said}"]
    problem = msgspec.json.decode(answer.body)
    lacking = [name for name in ("type", "title", "detail", "code") if not problem.get(name)]
    found = [f"the problem has no {name}: {said}" for name in lacking]
    if problem.get("status") != answer.status:
        found.append(f"the problem says another status: {said}")
    if answer.headers.get("content-language") != "en":
        found.append(f"not in the caller's language: {said}")
    return found


def _refusal(answer: Answer) -> Refused:
    problem: dict[str, Any] = msgspec.json.decode(answer.body) if answer.body else {}
    return Refused(answer.status, str(problem.get("code")), problem.get("pointer"))


def _code(answer: Answer) -> str:
    if answer.status < 400:
        return ""
    try:
        return str(msgspec.json.decode(answer.body)["code"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return "without a code"


def _digest(answer: Answer) -> bytes:
    return hashlib.sha256(answer.body).digest()
