"""A ranking call from its announcement to its ranking: an editor publishes it, a panel scores, an officer ranks.

The programme's own call closes at the end of its year. The demonstration's is the same document under a version of its
own that closes within the minute, with a budget that is too small for all.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import yaml

from stack.simulators.calls import Caller, UnexpectedAnswerError
from stack.simulators.views import Scheme

SCHEME: Final = "open-competition"
VERSION: Final = "demonstration"
_BUDGET_FEN: Final = 6_000_000_000
_TIMEOUT_SECONDS: Final = 10.0
_LOOK_EVERY_SECONDS: Final = 0.3
_LOWEST, _HIGHEST = 45, 98
Tokens = Callable[[str, str], str]
"""Gives a person's token for a scope."""


class _Entry(msgspec.Struct, frozen=True):
    application_id: str
    own_score: int | None = None


class _Entries(msgspec.Struct, frozen=True):
    items: list[_Entry]


@dataclass(frozen=True)
class Call:
    """A call that was announced, and how many score each of its applications."""

    closes_at: datetime
    panel: int


class Panel:
    """Whoever has to do with a call. ``url`` is eligibility's."""

    def __init__(self, url: str, tokens: Tokens, seed: int) -> None:
        self._url = url
        self._tokens = tokens
        self._seed = seed

    async def announce(self, document: Path, today: date, open_seconds: float) -> Call:
        """Publish the call; it closes ``open_seconds`` from now."""
        text = await asyncio.to_thread(document.read_text, encoding="utf-8")
        policy: dict[str, Any] = yaml.safe_load(text)
        now = datetime.now(UTC)
        closes_at = now + timedelta(seconds=open_seconds)
        ranking = policy["ranking"] | {"budget": {"amount": _BUDGET_FEN, "currency": "CNY"}}
        window = {"opens_at": (now - timedelta(days=1)).isoformat(), "closes_at": closes_at.isoformat()}
        changed = policy | {
            "version": VERSION,
            "replaces": policy["version"],
            "effective_from": today,
            "windows": [window],
            "ranking": ranking,
        }
        async with self._client("editor", "policy-editor") as client:
            body = json.dumps(changed, default=str, ensure_ascii=False).encode()
            answer = await client.post("/v1/policies", content=body, headers={"Idempotency-Key": str(uuid4())})
        if answer.is_error:
            raise UnexpectedAnswerError(f"the call could not be published: {answer.status_code} {answer.text[:300]}")
        return Call(closes_at, ranking["panel"])

    async def until_offered(self, intake: Caller, deadline_seconds: float) -> None:
        """Wait until intake offers the call."""
        deadline = time.monotonic() + deadline_seconds
        while True:
            offered = [each async for each in intake.pages("/v1/schemes", Scheme)]
            if any((each.scheme, each.version) == (SCHEME, VERSION) for each in offered):
                return
            if time.monotonic() > deadline:
                raise UnexpectedAnswerError(f"intake does not offer the call after {deadline_seconds:.0f} s")
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def judge(self, call: Call) -> None:
        """Score everything, wait for the end of the call, and rank it."""
        for number in range(1, call.panel + 1):
            await self._score(f"panellist-{number}")
        await asyncio.sleep(max(0.0, (call.closes_at - datetime.now(UTC)).total_seconds()))
        async with self._client("officer-1", "officer") as client:
            path = f"/v1/calls/{SCHEME}/{VERSION}/ranking"
            answer = await client.post(path, headers={"Idempotency-Key": str(uuid4())})
        if answer.is_error:
            raise UnexpectedAnswerError(f"the call could not be ranked: {answer.status_code} {answer.text[:300]}")

    async def _score(self, person: str) -> None:
        async with self._client(person, "panel") as client:
            answer = await client.get(f"/v1/calls/{SCHEME}/{VERSION}")
            for entry in msgspec.json.decode(answer.raise_for_status().content, type=_Entries).items:
                draw = random.Random(f"score {self._seed} {person} {entry.application_id[-6:]}")
                body = {"score": draw.randint(_LOWEST, _HIGHEST), "comment": "方案可行。"}
                path = f"/v1/calls/applications/{entry.application_id}/score"
                (await client.put(path, json=body)).raise_for_status()

    def _client(self, person: str, scope: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._tokens(person, scope)}", "Accept-Language": "en"}
        return httpx.AsyncClient(base_url=self._url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
