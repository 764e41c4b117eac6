"""Eligibility's officers: they claim what waits for persons, decide it, one after another, as many as it takes.

What each decides follows from the seed, the person and what it is about. Whoever is told that it is not theirs (an
interest, a vote given before, somebody else's task) leaves it to the others.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID, uuid4

import httpx

from stack.simulators.calls import Caller, OutsiderError, problem_code
from stack.simulators.officers import Bearer
from stack.simulators.views import Task

PERSONS: Final = tuple(f"officer-{number}" for number in range(1, 7))
_REJECTS: Final = 0.06
_DECLARES: Final = 0.05
_ASKS: Final = 0.04
_EVERY_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 10.0
_PROPER: Final = frozenset(
    {
        "task_held",
        "task_closed",
        "task_not_held",
        "voted_before",
        "decided_before",
        "interest_declared",
        "nothing_to_decide",
        "nothing_to_ask",
    }
)

logger = logging.getLogger(__name__)
Tokens = Callable[[str], str]


class Reviewers:
    """Persons with tokens of the scope ``officer``. ``did`` counts what they did, ``surprises`` what went wrong."""

    def __init__(self, url: str, tokens: Tokens, seed: int) -> None:
        self.did: Counter[str] = Counter()
        self.surprises: list[str] = []
        self._url = url
        self._tokens = tokens
        self._seed = seed
        self._asked: set[UUID] = set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Have them look and decide for as long as the block lasts."""
        working = asyncio.create_task(self._work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            for person in PERSONS:
                try:
                    await self._look(person)
                except OutsiderError as error:
                    logger.warning("%s can't work: %s", person, error)
            await asyncio.sleep(_EVERY_SECONDS)  # a person has nothing to await: they look again

    async def _look(self, person: str) -> None:
        auth = Bearer(self._tokens, person)
        async with httpx.AsyncClient(auth=auth, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            caller = Caller(client, self._url, patience_seconds=5.0)
            tasks = [task async for task in caller.pages("/v1/tasks", Task, status="open")]
            for task in tasks:
                if task.kind != "facts":
                    await self._deal(caller, person, task)

    async def _deal(self, caller: Caller, person: str, task: Task) -> None:
        draw = random.Random(f"{self._seed} {person} {task.applicant} {task.scheme} {task.kind}")
        if task.kind == "review" and draw.random() < _DECLARES:
            body = {"applicant": task.applicant, "why": "亲属任职"}
            await self._write(caller, "/v1/interests", body, "interest")
            return
        path = f"/v1/tasks/{task.task_id}"
        if not await self._write(caller, f"{path}/claim", {}, "claimed"):
            return
        if task.kind == "review" and draw.random() < _ASKS and task.application_id not in self._asked:
            self._asked.add(task.application_id)
            question = {"question": {"zh-CN": "请说明资金用途。", "en": "What will the money be used for?"}}
            if not await self._write(caller, f"{path}/question", question, "asked"):
                await self._write(caller, f"{path}/release", {}, "released")
            return
        approves = draw.random() >= _REJECTS
        words = {"zh-CN": "材料齐全，同意。", "en": "All is there."}
        if not approves:
            words = {"zh-CN": "材料与实际情况不符。", "en": "The papers do not match the facts."}
        decision = {"outcome": "approve" if approves else "reject", "reasons": words}
        if not await self._write(caller, f"{path}/decision", decision, "decided"):
            await self._write(caller, f"{path}/release", {}, "released")

    async def _write(self, caller: Caller, path: str, body: object, what: str) -> bool:
        answer = await caller.write("POST", path, body, str(uuid4()))
        if answer.is_success:
            self.did[what] += 1
            return True
        code = problem_code(answer)
        if code not in _PROPER:
            self.surprises.append(f"POST {path} answers {answer.status_code} {answer.text[:200]}")
        return False
