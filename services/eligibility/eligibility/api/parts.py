"""What the routes need; without a database and a writer they are only described."""

from collections.abc import Callable

from fastapi import Request, Response

from contracts.refusal import Refusal
from eligibility.commands import Command
from eligibility.shelf import Shelf
from kit.access import Access, Principal
from kit.database import Database
from kit.groups import GroupedWriter
from kit.idempotency import Key, request_hash


class Parts:
    """The database to read, the writer to hand commands to, who may; ``wake`` has the assessor look at once."""

    def __init__(
        self,
        shelf: Shelf,
        database: Database | None = None,
        writer: GroupedWriter[Command] | None = None,
        access: Access | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.shelf = shelf
        self.access = access or Access()
        self.wake = wake
        self._database = database
        self._writer = writer

    @property
    def database(self) -> Database:
        assert self._database is not None, "described, not called"
        return self._database

    async def carry_out(self, command: Command) -> Response:
        """Hand a command over; return its answer once it is on disk."""
        assert self._writer is not None, "described, not called"
        given = await self._writer.submit(command)
        self.wake()
        return Response(given.body, given.status, given.headers, "application/json")


async def key_of(request: Request, person: Principal, given: str | None, *, required: bool = True) -> Key | None:
    """Return the key under which this person may ask again; keys of different persons never meet."""
    if given is not None:
        return Key(person.subject, given, request_hash(request.method, request.url.path, await request.body()))
    if not required:
        return None
    raise Refusal(
        "idempotency_key_missing",
        "缺少 Idempotency-Key 请求头。重试时请使用同一个值。",
        "The header Idempotency-Key is missing. Send the same value when you try again.",
        status=400,
    )
