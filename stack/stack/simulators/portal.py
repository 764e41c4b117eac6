"""The portal: sends applications and claims to intake on behalf of companies, and keeps what it was told.

What it was told is the other half of the truth: the checks hold the services to it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

import httpx
import msgspec

from stack.simulators import bodies
from stack.simulators.asks import Ask
from stack.simulators.calls import Caller, UnexpectedAnswerError, problem_code
from stack.simulators.claims import ClaimPlan, claims
from stack.simulators.views import ApplicationView, Scheme

# Claims that go over the award's rest, or bring an invoice again, are refused by these codes and no others.
PROPER_CLAIM_REFUSALS: Final = frozenset({"invoice_already_claimed", "award_exhausted"})
_LOOK_EVERY_SECONDS: Final = 0.1
_KEYS: Final = UUID("6f1d3c1e-5b0a-5c55-9d53-9f6d3a1f0c11")  # any fixed namespace


class Manner(StrEnum):
    """How a company goes about its application."""

    AT_ONCE = "at_once"
    AS_DRAFT = "as_draft"
    WITHDRAWING = "withdrawing"


_MANNERS: Final = tuple(Manner)
_MANNER_WEIGHTS: Final = (88, 10, 2)


class _Created(msgspec.Struct):
    application_id: UUID


class _ClaimCreated(msgspec.Struct):
    claim_id: UUID


@dataclass(slots=True)
class Told:
    """What intake's answers said so far. ``refused`` and ``claims_refused`` count problem codes."""

    accepted: dict[UUID, Ask] = field(default_factory=dict)
    withdrawn: set[UUID] = field(default_factory=set)
    claims: dict[UUID, UUID] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    claims_refused: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)


class Portal:
    """One portal for one population. Every write has a key of its own, the same whenever it is sent."""

    def __init__(self, caller: Caller, seed: int, today: date, run: str = "") -> None:
        self.told = Told()
        self._caller = caller
        self._seed = seed
        self._today = today
        self._run = run

    async def until_open(self, deadline_seconds: float) -> None:
        """Wait until intake offers the scheme, as a portal does before it shows a form.

        Raises UnexpectedAnswerError when it is not offered in time.
        """
        deadline = time.monotonic() + deadline_seconds
        while not await self._is_open():
            if time.monotonic() > deadline:
                raise UnexpectedAnswerError(f"intake does not offer {bodies.SCHEME} after {deadline_seconds:.0f} s")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def apply(self, ask: Ask) -> None:
        """Send one application, at once or as a draft that is changed first; a few take it back."""
        manner = random.Random(f"manner {self._seed} {ask.company.index}").choices(_MANNERS, _MANNER_WEIGHTS)[0]
        if manner is Manner.AS_DRAFT:
            application_id = await self._apply_by_draft(ask)
        else:
            application_id = await self._create(ask, submit=True)
        if application_id is None:
            return
        self.told.accepted[application_id] = ask
        if manner is Manner.WITHDRAWING:
            await self._withdraw(application_id, ask)

    async def claim(self, application_id: UUID, award_id: UUID) -> None:
        """File the claims of the company behind this application, one after the other."""
        for plan in self._plan(application_id):
            await self._file(award_id, self.told.accepted[application_id], plan)

    async def answer(self, state: ApplicationView) -> None:
        """Answer what an officer asked. A second question has a key of its own."""
        await self._step(state, "clarification", {"answer": "设备用于模型训练，合同与发票一致。"})

    async def appeal(self, state: ApplicationView) -> None:
        """Appeal against a rejection."""
        await self._step(state, "appeal", {"grounds": "材料已补齐，请予复核。"})

    def claims_due(self, application_id: UUID) -> int:
        """Return how many claims that will be."""
        return len(self._plan(application_id))

    async def applications(self) -> AsyncIterator[ApplicationView]:
        """Yield the state of every application that this portal has sent, as intake shows it now."""
        async for state in self._caller.pages("/v1/applications", ApplicationView):
            if state.application_id in self.told.accepted:
                yield state

    async def _is_open(self) -> bool:
        schemes = [each async for each in self._caller.pages("/v1/schemes", Scheme)]
        return any(each.scheme == bodies.SCHEME and each.open for each in schemes)

    def _plan(self, application_id: UUID) -> list[ClaimPlan]:
        return claims(self._seed, self.told.accepted[application_id], self._today, self._run)

    async def _apply_by_draft(self, ask: Ask) -> UUID | None:
        draft = replace(ask, amount=ask.amount // 2)
        application_id = await self._create(draft, submit=False)
        if application_id is None:
            return None
        path = f"/v1/applications/{application_id}"
        changed = await self._write("PATCH", path, {"request": bodies.request(ask)}, ask, "patch")
        if not changed.is_success:
            self._surprise(changed, "a draft could not be changed")
            return None
        submitted = await self._write("POST", f"{path}/submission", {}, ask, "submission")
        if not submitted.is_success:
            self._refuse(submitted)
            return None
        return application_id

    async def _create(self, ask: Ask, *, submit: bool) -> UUID | None:
        body = bodies.application(ask, submit=submit)
        answer = await self._write("POST", "/v1/applications", body, ask, "application")
        if answer.status_code != httpx.codes.CREATED:
            self._refuse(answer)
            return None
        return msgspec.json.decode(answer.content, type=_Created).application_id

    async def _withdraw(self, application_id: UUID, ask: Ask) -> None:
        """Take it back. A decision may be quicker, which is a proper refusal."""
        path = f"/v1/applications/{application_id}/withdrawal"
        answer = await self._write("POST", path, {"reason": "项目取消"}, ask, "withdrawal")
        if answer.is_success:
            self.told.withdrawn.add(application_id)
        elif answer.status_code != httpx.codes.CONFLICT:
            self._surprise(answer, "a withdrawal was neither taken nor too late")

    async def _step(self, state: ApplicationView, step: str, body: Any) -> None:
        """Take a step that the state invites. It may have moved on meanwhile, which is a proper refusal."""
        path = f"/v1/applications/{state.application_id}/{step}"
        what = f"{step} {state.application_id} {state.version}"
        answer = await self._write("POST", path, body, self.told.accepted[state.application_id], what)
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            self._surprise(answer, f"{step}: neither taken nor too late")

    async def _file(self, award_id: UUID, ask: Ask, plan: ClaimPlan) -> None:
        path = f"/v1/awards/{award_id}/claims"
        answer = await self._write("POST", path, bodies.claim(plan), ask, f"claim {plan.name}")
        if answer.status_code == httpx.codes.CREATED:
            claim_id = msgspec.json.decode(answer.content, type=_ClaimCreated).claim_id
            self.told.claims[claim_id] = award_id
            if plan.repeats:
                self.told.surprises.append(f"claim {claim_id} repeats an invoice and was accepted")
            return
        code = problem_code(answer)
        self.told.claims_refused[code] += 1
        if code not in PROPER_CLAIM_REFUSALS:
            self._surprise(answer, "a claim was refused for no good reason")

    async def _write(self, method: str, path: str, body: Any, ask: Ask, what: str) -> httpx.Response:
        key = uuid5(_KEYS, f"{self._run} {self._seed} {ask.company.uscc} {what}")
        return await self._caller.write(method, path, body, str(key))

    def _refuse(self, answer: httpx.Response) -> None:
        """Keep the refusal. Intake decides nothing on merit, and the population sends nothing malformed."""
        self.told.refused[problem_code(answer)] += 1
        self._surprise(answer, "an application was refused at once")

    def _surprise(self, answer: httpx.Response, what: str) -> None:
        request = answer.request
        self.told.surprises.append(
            f"{what}: {request.method} {request.url.path} answers {answer.status_code} {answer.text[:200]}"
        )
