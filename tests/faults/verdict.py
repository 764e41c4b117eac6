"""You are at what a check answers: the invariant's name, what was looked at, and every difference from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SHOWN: Final = 5


@dataclass(frozen=True)
class Verdict:
    """It holds when there is no difference."""

    name: str
    seen: str
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differences

    def shown(self) -> list[str]:
        """The first differences, and how many more there are."""
        more = len(self.differences) - _SHOWN
        return [*self.differences[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def verdict(name: str, seen: str, differences: Iterable[str]) -> Verdict:
    return Verdict(name, seen, tuple(differences))
