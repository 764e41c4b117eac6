"""What finance says of one thing that happened, and when; some of it twice, some of it wrong.

It is planned together with the thing itself and written down with it, so that a finance system that was killed says the
same when it is back. What may be wrong is chosen by what its reader can know:

- Another amount, another ``end_to_end_id``, a payment that nobody instructed: they differ from the instruction. Their
  reader lists them whenever they come.
- *Settled* of what was returned comes only after the truth. If it came first it would be believed, the ledger would
  call paid what was not, and no later message could take that back.
- *Returned* of what was settled comes before the truth or after it. If it comes first it is believed, and the truth is
  listed instead. That costs nobody money: finance instructs again, and the bank, which has settled the payment, says
  so once more instead of paying (``bank.py``). Finance's officers never give up what the bank has settled.

So wherever nothing moves any more, the ledger says what the bank did, and every report that moved nothing is named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

Says = Literal["truth", "again", "settled", "returned", "other_amount", "other_name", "unknown_payment"]
TRUE: Final[frozenset[Says]] = frozenset({"truth", "again"})

Draw = Callable[[str], float]
"""A number in [0, 1) for a question: the same whenever the same is asked about the same thing."""


class Word(msgspec.Struct, frozen=True):
    """One report to be, under its ``ce_id``, so many seconds after what it is about.

    One that ``follows`` waits for the first true report, and counts from that.
    """

    event_id: UUID
    says: Says = "truth"
    after_seconds: float = 0.0
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How finance reports: as shares of all that it reports on, said twice, contradicted, or said only when asked.

    A report takes ``delay_seconds`` and up to ``reorder_seconds`` more, each its own: reports overtake each other.
    """

    duplicates: float = 0.05
    contradictions: float = 0.0
    lost: float = 0.0
    delay_seconds: float = 0.05
    reorder_seconds: float = 0.0

    def plan(self, draw: Draw, event_id: UUID, wrong: tuple[Says, ...] = ()) -> tuple[Word, ...]:
        """Return what is said unasked. ``event_id`` is the truth's; ``wrong`` is what may be said besides.

        A truth that gets lost is not planned, and what follows it waits until somebody has asked.
        """

        def seconds(what: str) -> float:
            return self.delay_seconds + self.reorder_seconds * draw(f"seconds to {what}")

        words = []
        if draw("lost") >= self.lost:
            words.append(Word(event_id, "truth", seconds("truth")))
        if draw("duplicate") < self.duplicates:
            known = draw("event id") < 0.5
            words.append(Word(event_id if known else uuid7(), "again", seconds("again"), follows=True))
        if wrong and draw("contradiction") < self.contradictions:
            says = wrong[int(draw("kind of contradiction") * len(wrong))]
            words.append(Word(uuid7(), says, seconds("contradiction"), follows=says == "settled"))
        return tuple(words)
