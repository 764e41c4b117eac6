"""What finance has to say, each word at its time: one loop that sends what is due and writes down that it was said."""

import asyncio
import heapq
import itertools
from dataclasses import dataclass

from stack.simulators.bank_log import BankLog, Said
from stack.simulators.broker import Report, Reports
from stack.simulators.cases import Case, Key
from stack.simulators.words import TRUE, Word


@dataclass(frozen=True, slots=True)
class Letter:
    """A word about a case; ``question`` is the one that it answers, if any."""

    case: Case
    word: Word
    question: int = 0

    def said(self) -> Said:
        return Said(*self.case.key, self.question, self.word.event_id, self.word.says)


class Post:
    """Sends letters in the order in which they are due. What follows a truth is due once that was said."""

    def __init__(self, reports: Reports, log: BankLog) -> None:
        self._reports = reports
        self._log = log
        self._waiting: list[tuple[float, int, Letter]] = []
        self._numbers = itertools.count()
        self._in_hand: dict[Key, int] = {}
        self._filled = asyncio.Event()
        self._stopping = False

    def post(self, case: Case) -> None:
        """Send what is to be said about this and was not, each at its time from now on."""
        for word in self._log.unsaid(case):
            self._put(Letter(case, word), word.after_seconds)

    def answer(self, case: Case, question: int) -> None:
        """Send the truth about this at once, whether or not it was said before, but once for each question."""
        if question > max(self._log.answered(case), self._in_hand.get(case.key, 0)):
            self._in_hand[case.key] = question
            self._put(Letter(case, case.truth(), question), 0.0)

    async def run(self) -> None:
        """Send until ``stop`` is called. What is not said by then is said after the next start."""
        while not self._stopping:
            if due := self._due():
                await self._send(due)
            else:
                await self._rest()

    def stop(self) -> None:
        self._stopping = True
        self._filled.set()

    def _put(self, letter: Letter, after_seconds: float) -> None:
        due = asyncio.get_running_loop().time() + after_seconds
        heapq.heappush(self._waiting, (due, next(self._numbers), letter))
        self._filled.set()

    def _due(self) -> list[Letter]:
        """Take what is due, but for money that nobody waits for any more."""
        now, due = asyncio.get_running_loop().time(), []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        return [letter for letter in due if not self._log.is_closed(letter.case)]

    async def _send(self, letters: list[Letter]) -> None:
        await self._reports.send([Report(each.case.report(each.word), each.word.event_id) for each in letters])
        fresh = {each.case.key: each.case for each in letters if self._is_first_truth(each)}
        self._log.say([letter.said() for letter in letters])
        for case in fresh.values():
            for word in self._log.unsaid(case):
                if word.follows:
                    self._put(Letter(case, word), word.after_seconds)

    def _is_first_truth(self, letter: Letter) -> bool:
        return letter.word.says in TRUE and not self._log.was_told(letter.case.key)

    async def _rest(self) -> None:
        """Wait until the next letter is due or a new one comes in."""
        self._filled.clear()
        seconds = self._waiting[0][0] - asyncio.get_running_loop().time() if self._waiting else None
        try:
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        except TimeoutError:
            return
