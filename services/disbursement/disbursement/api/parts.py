"""What the routes need; without a database and a writer they are only described."""

from disbursement.commands import Command
from disbursement.files import FileCommand
from kit.access import Access
from kit.database import Database
from kit.groups import GroupedWriter


class Parts:
    """The database to read, the writers to hand commands to (those on files have one of their own), and who may."""

    def __init__(
        self,
        database: Database | None = None,
        writer: GroupedWriter[Command] | None = None,
        access: Access | None = None,
        files: GroupedWriter[FileCommand] | None = None,
    ) -> None:
        self._database = database
        self._writer = writer
        self.access = access or Access()
        self._files = files

    @property
    def database(self) -> Database:
        assert self._database is not None, "described, not called"
        return self._database

    @property
    def writer(self) -> GroupedWriter[Command]:
        assert self._writer is not None, "described, not called"
        return self._writer

    @property
    def files(self) -> GroupedWriter[FileCommand]:
        assert self._files is not None, "described, not called"
        return self._files
