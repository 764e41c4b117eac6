"""You are at what a check answers: what it looked at, and every difference between what is and what was promised."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told

DIFFERENCES_SHOWN: Final = 5


@dataclass(frozen=True)
class Result:
    """``name`` is the promise, ``seen`` what was looked at; it holds when there is no difference."""

    name: str
    seen: str
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences

    def shown(self) -> list[str]:
        """Return the first differences, and how many more there are."""
        more = len(self.differences) - DIFFERENCES_SHOWN
        return [*self.differences[:DIFFERENCES_SHOWN], *([f"and {more} more"] if more > 0 else [])]


Check = Callable[[Evidence, Told], Result]


def result(name: str, seen: str, differences: Iterable[str]) -> Result:
    """Return the result with all differences drawn."""
    return Result(name, seen, tuple(differences))
