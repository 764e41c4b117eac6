"""What the routes need; without a database and a writer they are only described."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Request, Response

from eligibility.commands import Command
from eligibility.shelf import Shelf
from kit.access import Access, Principal
from kit.database import Database
from kit.groups import GroupedWriter
from kit.http import TRACEPARENT
from kit.writes import key_of, response_of

Name = Annotated[str, Path(max_length=200, description="of a scheme, or of one of its versions")]


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
        return response_of(given)


async def asked(request: Request, person: Principal, key: str | None, *, required: bool = True) -> dict[str, Any]:
    """Return what every command has: who asks, under which key, within which trace."""
    given = await key_of(request, person.subject, key, required=required)
    return {"key": given, "traceparent": TRACEPARENT.get(), "by": person.subject}
