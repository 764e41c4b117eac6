"""The outbox against its topics, judged from rows and records: what lacks, what moved, what is strange. Pure."""

from collections import namedtuple
from uuid import UUID

import pytest

from kit import published
from kit.published import Position, judge
from kit.topic_reader import Seen, Stretch
from tests.kit.conftest import TOPIC

PLACE = (TOPIC, 0)
Row = namedtuple("Row", "id event_id type data")  # stands for a row as the driver gives it
IDS = [UUID(int=number) for number in range(10)]


def row(number: int) -> Row:
    return Row(number, IDS[number], "t", b"%d" % number)


class Event(Seen, frozen=True):
    """Seen without a record behind it."""

    def is_event(self) -> bool:
        return True


def seen(offset: int, number: int, **other: object) -> Seen:
    values = {"offset": offset, "event_id": str(IDS[number]), "sequence": number, "value": b"%d" % number}
    return Event(**values | other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "reach", "position"),
    [
        ([], 3, Position(0, 3)),
        ([1, 2, 3], 3, Position(3, 3)),
        ([1, 2, 1, 2, 3], 3, Position(5, 3)),
        ([1, 2, 3, 4, 5], 3, Position(3, 3)),
        ([1, 2, 3, 4, 1, 2, 3, 4], 3, Position(3, 3)),
    ],
)
def test_what_is_sent_once_or_again_in_order_agrees(records: list[int], reach: int, position: Position) -> None:
    stretch = Stretch([seen(offset, number) for offset, number in enumerate(records)], len(records))
    rows = [row(number) for number in sorted({*records})]

    judged = judge(PLACE, Position(), rows, stretch, reach)

    assert (judged.position, judged.findings) == (position, [])
    assert [each.sequence for each in judged.strange] == [number for number in records if number > reach][:1]


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([1, 3], "(outbox 2) was published and is not on disbursement.payments/0"),
        ([1, 3, 2], "(outbox 2) stands behind a later one"),
        ([], "(outbox 1) was published and is not on"),
    ],
)
def test_what_lacks_or_changed_places_is_named(records: list[int], says: str) -> None:
    stretch = Stretch([seen(offset, number) for offset, number in enumerate(records)], len(records))

    findings = judge(PLACE, Position(), [row(1), row(2), row(3)], stretch, 3).findings

    assert says in findings[0].words


@pytest.mark.parametrize("changed", [{"value": b"9"}, {"event_id": str(IDS[9])}, {"sequence": None}])
def test_an_event_that_is_not_quite_the_same_is_strange_and_the_right_one_lacks(changed: dict[str, object]) -> None:
    judged = judge(PLACE, Position(), [row(1)], Stretch([seen(0, 1, **changed)], 1), 1)

    assert (len(judged.strange), len(judged.findings)) == (1, 1)


def test_a_stretch_that_was_cut_is_judged_as_far_as_it_goes() -> None:
    stretch = Stretch([seen(0, 1), seen(1, 2), seen(2, 1)], 3, at_end=False)

    assert judge(PLACE, Position(), [row(1), row(2), row(3)], stretch, 3) == published.Judged(Position(3, 2), [], [])
