"""The finance system's own memory: an append-only file of what the bank did and what was reported.

A payment is looked up here before the bank acts, and an outcome is on disk before it is reported. So after
a SIGKILL at any point nothing is paid twice, and what was not yet reported is reported again.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import msgspec

from contracts.events import PaymentStatusRequested
from stack.simulators.bank import Attempt, Outcome


class Reported(msgspec.Struct, frozen=True, tag="reported", tag_field="entry"):
    """One more report of this attempt has reached the broker; ``question`` is the one that it answers, if any."""

    payment_id: UUID
    attempt: int
    question: int = 0


_DECODER: Final = msgspec.json.Decoder(Outcome | Reported)


class BankLog:
    """Outcomes by (payment_id, attempt), in memory and, when there is a path, on disk."""

    def __init__(self, path: Path | None = None) -> None:
        self.outcomes: dict[Attempt, Outcome] = {}
        self.times_reported: dict[Attempt, int] = {}
        self.answered: dict[Attempt, int] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
            self._recall(self._file)

    def knows(self, attempt: Attempt) -> bool:
        return attempt in self.outcomes

    def unreported(self) -> list[Outcome]:
        """Return the outcomes that nobody was told of yet, though they were to be."""
        return [
            outcome for key, outcome in self.outcomes.items() if not self.times_reported.get(key) and not outcome.lost
        ]

    def unanswered(self, questions: Iterable[PaymentStatusRequested]) -> list[PaymentStatusRequested]:
        """Return the latest question about each payment that is known here, unless it was answered before."""
        latest = {(asked.payment_id, asked.attempt): asked for asked in questions}
        return [
            asked for key, asked in latest.items() if self.knows(key) and asked.question > self.answered.get(key, 0)
        ]

    async def decide(self, outcomes: Sequence[Outcome]) -> None:
        """Store new outcomes; they are on disk when this returns. Only the disk is waited for in a thread."""
        await asyncio.to_thread(self._append_synced, outcomes)
        for outcome in outcomes:
            self._apply(outcome)

    def report(self, outcomes: Iterable[Outcome]) -> None:
        """Count reports. Not synced: a lost line only means that a report is sent once more."""
        reports = [Reported(outcome.payment_id, outcome.attempt) for outcome in outcomes]
        self._append(reports)
        for report in reports:
            self._apply(report)

    def answer(self, questions: Iterable[PaymentStatusRequested]) -> None:
        """Count answers, which are reports too. Not synced either: a question may be answered twice."""
        reports = [Reported(asked.payment_id, asked.attempt, asked.question) for asked in questions]
        self._append(reports)
        for report in reports:
            self._apply(report)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _append_synced(self, entries: Iterable[Outcome]) -> None:
        self._append(entries)
        if self._file is not None:
            os.fsync(self._file.fileno())

    def _append(self, entries: Iterable[Outcome | Reported]) -> None:
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        if self._file is not None and self._file.write(lines) != len(lines):
            raise OSError("the bank's log took only a part of an entry; is the disk full?")

    def _apply(self, entry: Outcome | Reported) -> None:
        if isinstance(entry, Outcome):
            self.outcomes[entry.key] = entry
        else:
            key = (entry.payment_id, entry.attempt)
            self.times_reported[key] = self.times_reported.get(key, 0) + 1
            self.answered[key] = max(entry.question, self.answered.get(key, 0))

    def _recall(self, file: BinaryIO) -> None:
        """Read the file back; a last line that a SIGKILL cut short was never acted on and is dropped."""
        file.seek(0)
        whole = file.read()
        kept = whole[: whole.rfind(b"\n") + 1]
        file.truncate(len(kept))
        for line in kept.splitlines():
            self._apply(_DECODER.decode(line))
