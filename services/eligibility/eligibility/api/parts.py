"""What the routes need; without a database and a writer they are only described."""

from collections.abc import Callable

from fastapi import Response

from eligibility.commands import Command
from eligibility.shelf import Shelf
from kit.access import Access
from kit.database import Database
from kit.groups import GroupedWriter
from kit.writes import response_of


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
