"""Persons with tokens at eligibility's door: its HTTP app with its line of writers, as one process has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec

from contracts.events import ApplicationSubmitted
from contracts.policy import Policy
from eligibility import api
from eligibility.commands import Command
from eligibility.desk import apply
from eligibility.policies import Document
from eligibility.problems import PROBLEMS
from eligibility.publication import publish
from eligibility.shelf import Shelf
from kit.access import Access
from kit.access_keys import IssuerKeys
from kit.access_tokens import Verifier
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import create_app
from tests.eligibility.scenes import POLICY, application
from tests.kit.issuer import AUDIENCE, NAME, Issuer

REASONS = {"zh-CN": "材料齐全", "en": "All is there"}


class Persons:
    """Whoever has a token. A call without a scope named is an officer's."""

    def __init__(self, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self._client = client
        self._issuer = issuer

    async def post(
        self, path: str, body: Any = None, *, by: str = "anna", scope: str = "officer", key: str | None = ""
    ) -> httpx.Response:
        headers = self._headers(by, scope)
        if key is not None:
            headers["Idempotency-Key"] = key or str(uuid4())
        if isinstance(body, str):
            return await self._client.post(path, content=body, headers=headers)
        return await self._client.post(path, json=body, headers=headers)

    async def put(self, path: str, body: Any, *, by: str, scope: str = "panel") -> httpx.Response:
        return await self._client.put(path, json=body, headers=self._headers(by, scope))

    async def get(self, path: str, *, by: str = "anna", scope: str = "officer") -> Any:
        answer = await self._client.get(path, headers=self._headers(by, scope))
        return answer.json()

    async def decide(
        self, task_id: str, by: str, outcome: str = "approve", *, scope: str = "officer", **more: Any
    ) -> httpx.Response:
        """Claim a task and decide it."""
        claimed = await self.post(f"/v1/tasks/{task_id}/claim", by=by, scope=scope)
        if not claimed.is_success:
            return claimed
        body = {"outcome": outcome, "reasons": REASONS} | more
        return await self.post(f"/v1/tasks/{task_id}/decision", body, by=by, scope=scope)

    async def task(self, application_id: UUID, *, by: str = "anna") -> dict[str, Any]:
        """Return the one open task of an application."""
        items = (await self.get("/v1/tasks?status=open", by=by))["items"]
        [found] = [item for item in items if item["application_id"] == str(application_id)]
        return dict(found)

    def _headers(self, by: str, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._issuer.token(scope, sub=by)}", "Accept-Language": "en"}


@asynccontextmanager
async def process(database: Database) -> AsyncIterator[Persons]:
    """Run a process of eligibility that is asked over HTTP."""
    issuer = Issuer()
    issuer.come()
    access = Access(Verifier(IssuerKeys(issuer.url, "ES256"), issuer=NAME, audience=AUDIENCE, algorithm="ES256"))
    shelf = Shelf()
    writer: GroupedWriter[Command] = GroupedWriter(database, partial(apply, shelf))
    app = create_app(service="eligibility", title="eligibility", description="", trouble={}, own_problems=PROBLEMS)
    app.include_router(api.router(api.Parts(shelf, database, writer, access)))
    stop = asyncio.Event()
    writing = asyncio.create_task(writer.run(stop))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://eligibility") as client:
        yield Persons(client, issuer)
    stop.set()
    await writing
    await issuer.go()


async def published(database: Database, **changes: Any) -> Policy:
    """Publish a scheme that differs so from the compute voucher; its name is new each time."""
    policy = msgspec.structs.replace(POLICY, scheme=f"reviewed-{uuid4().hex[:8]}", **changes)
    await publish(database, [Document("test", policy, uuid4().hex)])
    return policy


def asked(policy: Policy, **changes: Any) -> ApplicationSubmitted:
    return application(scheme=policy.scheme, policy_version=policy.version, **changes)
