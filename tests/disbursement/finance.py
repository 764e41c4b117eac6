"""Officers with tokens at disbursement's door: its HTTP app with its lines of writers, as one process has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from contracts.common import Account
from contracts.events import Event
from disbursement import api
from disbursement.commands import Command, apply
from disbursement.files import file_writer
from disbursement.main import application
from kit import outbox
from kit.access import Access
from kit.access_keys import IssuerKeys
from kit.access_tokens import Verifier
from kit.database import Database
from kit.groups import GroupedWriter
from tests.disbursement.scenes import Scene
from tests.kit.issuer import AUDIENCE, NAME, Issuer


class Finance:
    """Two officers with tokens at disbursement's door."""

    def __init__(self, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self._client = client
        self.issuer = issuer

    async def post(
        self, path: str, body: Any, *, by: str = "anna", key: str | None = "", scope: str = "finance"
    ) -> httpx.Response:
        headers = self._headers(by, scope)
        if key is not None:
            headers["Idempotency-Key"] = key or str(uuid4())
        return await self._client.post(path, json=body, headers=headers)

    async def send(self, content: str | bytes, *, by: str = "anna", scope: str = "finance") -> httpx.Response:
        """Hand over a file of the bank."""
        headers = self._headers(by, scope) | {"Content-Type": "application/xml"}
        return await self._client.post("/v1/bank-files", content=content, headers=headers)

    async def fetch(self, path: str, *, by: str = "anna", scope: str = "finance") -> httpx.Response:
        return await self._client.get(path, headers=self._headers(by, scope))

    async def get(self, path: str) -> Any:
        return (await self.fetch(path)).json()

    def _headers(self, by: str, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.token(scope, sub=by)}", "Accept-Language": "en"}


@asynccontextmanager
async def process(database: Database, debtors: Mapping[str, Account] | None = None) -> AsyncIterator[Finance]:
    """Run a process of disbursement that is asked over HTTP; without debtors it writes no files of payments."""
    issuer = Issuer()
    issuer.come()
    access = Access(Verifier(IssuerKeys(issuer.url, "ES256"), issuer=NAME, audience=AUDIENCE, algorithm="ES256"))
    writer: GroupedWriter[Command] = GroupedWriter(database, apply)
    files = file_writer(database, debtors)
    app = application(api.Parts(database, writer, access, files), {})
    stop = asyncio.Event()
    writing = [asyncio.create_task(line.run(stop)) for line in (writer, files)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://disbursement") as client:
        yield Finance(client, issuer)
    stop.set()
    await asyncio.gather(*writing)
    await issuer.go()


async def told(database: Database, *events: Event) -> list[Event]:
    """Handle events and commit them with what they say."""
    async with database.transaction() as connection:
        said = await Scene(connection).tell(*events)
        await outbox.add(connection, outbox.Announcements(map(outbox.Announcement, said)))
    return said
