"""What finance does in files: it has payments written for the bank, and hands over what the bank sends back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.common import Account
from contracts.refusal import Refusal
from disbursement import bank_files, payment_files
from disbursement.bank_files import TakeBankFile
from disbursement.payment_files import MakePaymentFile
from kit.database import Database
from kit.groups import GroupedWriter, Outcome
from kit.outbox import Announcements

FileCommand = MakePaymentFile | TakeBankFile


# A file takes seconds, where other commands take milliseconds: its caller waits longer, and few may wait.
_MOST_WAITING: Final = 4
_LINE_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 50.0


def file_writer(
    database: Database,
    debtors: Mapping[str, Account] | None,
    committed: Callable[[Announcements], None] = lambda _: None,
) -> GroupedWriter[FileCommand]:
    """Return the line of writers for files: apart from other commands, which do not wait for them, and one by one."""
    return GroupedWriter(
        database,
        Files(debtors).apply,
        max_queue_size=_MOST_WAITING,
        max_group_size=1,
        max_age_seconds=_LINE_SECONDS,
        answer_seconds=_ANSWER_SECONDS,
        committed=committed,
    )


class Files:
    """Carries out commands on files. ``debtors`` has the account of each pool; None switches files of payments off."""

    def __init__(self, debtors: Mapping[str, Account] | None) -> None:
        self._debtors = debtors

    async def apply(
        self, connection: AsyncConnection, commands: Sequence[FileCommand], now: datetime
    ) -> tuple[list[Outcome], Announcements]:
        """Carry out commands one after another; return each one's answer or refusal, and what is to be told."""
        outcomes: list[Outcome] = []
        said = Announcements()
        for command in commands:
            try:
                match command:
                    case MakePaymentFile():
                        outcomes.append(await payment_files.make(connection, command, self._debtors, now))
                    case TakeBankFile():
                        answer, told = await bank_files.take(connection, command, now)
                        outcomes.append(answer)
                        said += told
            except Refusal as refusal:
                outcomes.append(refusal)
        return outcomes, said
