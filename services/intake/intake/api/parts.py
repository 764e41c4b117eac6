"""What the routes need, and what they share; without a database and a writer they are only described."""

from typing import Annotated, Any

import msgspec
from fastapi import Header, Query, Response

from contracts.refusal import Refusal
from intake import rules
from intake.callers import client_of
from intake.commands import Command
from intake.documents import api as documents
from intake.documents.scanning import Scanner
from intake.documents.store import DocumentStore
from kit.access import Access, Principal
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import TRACEPARENT
from kit.idempotency import Answer, Key

Limit = Annotated[int, Query(ge=1, le=200, description="at most so many items")]
IfMatch = Annotated[str | None, Header(description="the ETag that was read; 412 when it is stale", examples=['"1"'])]


class Parts:
    """What the routes need; empty where they are only described."""

    def __init__(
        self,
        database: Database | None,
        writer: GroupedWriter[Command] | None,
        store: DocumentStore | None = None,
        scanner: Scanner | None = None,
        access: Access | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._store = store
        self._scanner = scanner or Scanner([], 0)
        self._access = access or Access()

    @property
    def database(self) -> Database:
        assert self._database is not None, "described, not called"
        return self._database

    @property
    def access(self) -> Access:
        return self._access

    @property
    def library(self) -> documents.Library:
        return documents.Library(self._store, self._scanner, self._access, lambda: self.database, self._submit)

    async def _submit(self, command: Command) -> Answer:
        return await self.writer.submit(command)

    @property
    def writer(self) -> GroupedWriter[Command]:
        assert self._writer is not None, "described, not called"
        return self._writer


def asked(person: Principal, key: Key | None) -> dict[str, Any]:
    """Return what every command has: who asks, under which key, within which trace."""
    return {"key": key, "traceparent": TRACEPARENT.get(), "client": client_of(person)}


def json(content: Any) -> Response:
    """Return content as it goes over the wire."""
    return Response(msgspec.json.encode(content), media_type="application/json")


def json_or_404(content: Any, kind: str, identifier: object) -> Response:
    """Return content; raise the Refusal `<kind>_not_found` where there is none."""
    if content is None:
        raise rules.not_found(kind, identifier)
    return json(content)


def version_of(if_match: str | None) -> int | None:
    """Return the version that an If-Match names, None where any will do; raise the Refusal `stale` where it is none."""
    if if_match is None or if_match == "*":
        return None
    digits = if_match.removeprefix("W/").strip('"')
    if not digits.isdecimal():
        raise Refusal("stale", "If-Match 不是本资源的 ETag。", "If-Match is not an ETag of this resource.", status=412)
    return int(digits)
