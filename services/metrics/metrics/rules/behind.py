"""How long a consumer group is behind, from looks at it: its committed offsets, and where the topics end.

A count of events says little: a thousand may be a second's work, and one may wait since yesterday. So it is noted when
each end was first seen, and a group is as late as the first end that it has not reached. That works for a consumer
that is dead as well, because nothing is asked of it.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

_MOST_MARKS: Final = 1_000

P = TypeVar("P", bound=Hashable)


class Behind(Generic[P]):
    """Remembers the ends that groups have not reached. ``P`` names a group on a partition."""

    def __init__(self) -> None:
        self._marks: dict[P, list[tuple[int, float]]] = {}

    def seconds(self, place: P, committed: int, end: int, now: float) -> float:
        """Return since when the group is behind, in seconds, and 0 when it is not; ``now`` is of a monotonic clock.

        It is right to the time between two looks. What was there before the first look counts from that look on.
        """
        marks = [mark for mark in self._marks.get(place, ()) if mark[0] > committed]
        if end > committed and (not marks or marks[-1][0] < end):
            marks.append((end, now))
        if len(marks) > _MOST_MARKS:
            del marks[1::2]  # the first has to stay; between the others it is right to twice the time from now on
        self._marks[place] = marks
        return now - marks[0][1] if marks else 0.0
