"""The finance system's own memory: an append-only file of what happened and what was said about it.

A payment is looked up here before the bank acts, and what the bank did is on disk before anybody is told. So after
a SIGKILL at any point nothing is paid twice, and what was not yet said is said.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import msgspec

from stack.simulators.cases import AccountCheck, Case, Key, Outcome, Receipt
from stack.simulators.words import TRUE, Says, Word


class Said(msgspec.Struct, frozen=True, tag="reported", tag_field="entry"):
    """One more report of a case has reached the broker; ``question`` is the one that it answers, if any.

    The key's names in the file are from when payments were all that was reported on.
    """

    subject: UUID = msgspec.field(name="payment_id")
    number: int = msgspec.field(name="attempt")
    question: int = 0
    event_id: UUID | None = None
    says: Says = "truth"

    @property
    def key(self) -> Key:
        return self.subject, self.number


class Closed(msgspec.Struct, frozen=True, tag="closed", tag_field="entry"):
    """The programme waits for no more money on this demand."""

    recovery_id: UUID


Entry = Outcome | AccountCheck | Receipt | Said | Closed
_DECODER: Final = msgspec.json.Decoder(Entry)


class BankLog:
    """Cases by their keys and what was said about them, in memory and, when there is a path, on disk."""

    def __init__(self, path: Path | None = None) -> None:
        self.cases: dict[Key, Case] = {}
        self.said: defaultdict[Key, list[Said]] = defaultdict(list)
        self._attempts: defaultdict[UUID, list[Outcome]] = defaultdict(list)
        self._closed: set[UUID] = set()
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
            self._recall(self._file)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what the bank did with each attempt, in the order in which it did."""
        return (case for case in self.cases.values() if isinstance(case, Outcome))

    def attempts(self, payment_id: UUID) -> Sequence[Outcome]:
        """Return what became of a payment so far, attempt by attempt."""
        return self._attempts.get(payment_id, ())

    def was_told(self, key: Key) -> bool:
        """Whether the truth about this was said."""
        return any(said.says in TRUE for said in self.said.get(key, ()))

    def unsaid(self, case: Case) -> list[Word]:
        """Return what is still to be said about this; what follows the truth is not, until that was said."""
        told, done = self.was_told(case.key), {(said.event_id, said.says) for said in self.said.get(case.key, ())}
        words = (word for word in case.words if told or not word.follows)
        return [word for word in words if (word.event_id, word.says) not in done]

    def answered(self, case: Case) -> int:
        """Return the latest question about this that was answered, 0 when none was."""
        return max((said.question for said in self.said.get(case.key, ())), default=0)

    def is_closed(self, case: Case) -> bool:
        """Whether nobody waits for this any more."""
        return isinstance(case, Receipt) and case.recovery_id in self._closed

    def add(self, cases: Iterable[Case]) -> None:
        """Know new cases, which nobody may be told of before they are kept."""
        for case in cases:
            self._apply(case)

    async def keep(self, cases: Sequence[Case]) -> None:
        """Return when what was added is on disk. Only the disk is waited for in a thread."""
        await asyncio.to_thread(self._append_synced, cases)

    def say(self, said: Sequence[Said]) -> None:
        """Remember reports. Not synced: a lost line only means that a report is sent once more."""
        self._append(said)
        for entry in said:
            self._apply(entry)

    def close_recovery(self, recovery_id: UUID) -> None:
        """Remember that no more money is waited for. Not synced: the programme says it again at the next start."""
        if recovery_id not in self._closed:
            self._append([Closed(recovery_id)])
            self._closed.add(recovery_id)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _append_synced(self, entries: Sequence[Entry]) -> None:
        self._append(entries)
        if self._file is not None:
            os.fsync(self._file.fileno())

    def _append(self, entries: Iterable[Entry]) -> None:
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        if self._file is not None and self._file.write(lines) != len(lines):
            raise OSError("the bank's log took only a part of an entry; is the disk full?")

    def _apply(self, entry: Entry) -> None:
        match entry:
            case Said():
                self.said[entry.key].append(entry)
            case Closed():
                self._closed.add(entry.recovery_id)
            case Outcome():
                self.cases[entry.key] = entry
                self._attempts[entry.payment_id].append(entry)
            case _:
                self.cases[entry.key] = entry

    def _recall(self, file: BinaryIO) -> None:
        """Read the file back; a last line that a SIGKILL cut short was never acted on and is dropped."""
        file.seek(0)
        whole = file.read()
        kept = whole[: whole.rfind(b"\n") + 1]
        file.truncate(len(kept))
        for line in kept.splitlines():
            self._apply(_DECODER.decode(line))
