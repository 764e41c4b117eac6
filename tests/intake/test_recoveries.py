"""Money that is asked back: what is known of a demand is the same, in whatever order two topics told it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.events import AwardRecovered, RecoveryClosed, RecoveryDemanded
from contracts.money import Money
from intake import recoveries, waits
from intake.records import Application
from tests.intake.test_waits import CLOCKS, ID, NOW, application

DUE = NOW + timedelta(days=30)
FIRST, SECOND = UUID(int=1), UUID(int=2)
Heard = RecoveryDemanded | RecoveryClosed | AwardRecovered


def about(recovery_id: UUID) -> dict[str, Any]:
    names: dict[str, Any] = {"application_id": ID, "award_id": ID, "recovery_id": recovery_id}
    return names | {"occurred_at": NOW, "scheme": "s", "applicant": "a"}


def demanded(recovery_id: UUID = FIRST, amount: int = 100, due_at: datetime | None = DUE) -> RecoveryDemanded:
    return RecoveryDemanded(**about(recovery_id), money=Money(amount), reason="虚开发票", due_at=due_at)


def recovered(amount: int, outstanding: int, recovery_id: UUID = FIRST, *, netting: bool = False) -> AwardRecovered:
    amounts: dict[str, Any] = {"money": Money(amount), "outstanding": Money(outstanding)}
    return AwardRecovered(**about(recovery_id), **amounts, by="netting" if netting else "receipt")


def closed(received: int, netted: int, written_off: int, recovery_id: UUID = FIRST) -> RecoveryClosed:
    return RecoveryClosed(
        **about(recovery_id),
        outcome="written_off" if written_off else "received",
        received=Money(received),
        netted=Money(netted),
        written_off=Money(written_off),
    )


def having_heard(*events: Heard) -> Application:
    record = application("awarded")
    for event in events:
        recoveries.hear(record, event)
    return record


def interleavings(one: Sequence[Heard], other: Sequence[Heard]) -> Iterator[list[Heard]]:
    """Yield every order that two topics may give: each keeps its own."""
    if not one or not other:
        yield [*one, *other]
        return
    for rest in interleavings(one[1:], other):
        yield [one[0], *rest]
    for rest in interleavings(one, other[1:]):
        yield [other[0], *rest]


PAYMENTS: list[Heard] = [demanded(FIRST), demanded(SECOND, 50), closed(70, 30, 30), closed(50, 50, 0, SECOND)]
AWARDS: list[Heard] = [recovered(40, 60), recovered(30, 30, netting=True), recovered(50, 0, SECOND, netting=True)]


@pytest.mark.parametrize("events", list(interleavings(PAYMENTS, AWARDS)))
def test_any_order_gives_the_same_recoveries(events: list[Heard]) -> None:
    record = having_heard(*events)
    assert record.recoveries == having_heard(*PAYMENTS, *AWARDS).recoveries
    first, second = recoveries.demanded(record)
    assert (first.status, first.received, first.netted, first.written_off) == ("written_off", 70, 30, 30)
    assert (second.status, second.received, second.netted, second.written_off) == ("received", 50, 50, 0)
    assert recoveries.outstanding(record) == 0


@pytest.mark.parametrize(
    ("events", "status", "received", "outstanding"),
    [
        ([demanded()], "demanded", 0, 100),
        ([demanded(), recovered(40, 60)], "demanded", 40, 60),
        ([recovered(40, 60), demanded()], "demanded", 40, 60),
        ([demanded(), recovered(40, 60), recovered(60, 0)], "demanded", 100, 0),
        ([demanded(), closed(40, 0, 60)], "written_off", 40, 0),
        ([demanded(), recovered(40, 60), closed(100, 0, 0)], "received", 100, 0),
    ],
)
def test_a_demand_shows_what_came_back_and_what_is_owed(
    events: list[Heard], status: str, received: int, outstanding: int
) -> None:
    [found] = recoveries.demanded(having_heard(*events))
    assert (found.status, found.received, found.outstanding) == (status, received, outstanding)
    assert (found.money, found.reason, found.due_at) == (100, "虚开发票", DUE)


def test_what_came_back_before_its_demand_was_heard_is_owed_but_no_demand_yet() -> None:
    record = having_heard(recovered(40, 60))
    assert recoveries.demanded(record) == []
    assert recoveries.outstanding(record) == 60
    assert waits.of_application(record) is None


def test_an_open_demand_is_waited_for_until_its_own_deadline() -> None:
    record = having_heard(demanded(due_at=DUE))
    follow(record, NOW)
    assert (record.waits_for, record.due_at) == ("recovery", DUE)


def test_a_demand_without_a_deadline_has_the_policys() -> None:
    record = having_heard(demanded(due_at=None))
    follow(record, NOW)
    follow(record, NOW + timedelta(hours=1))
    assert record.due_at == NOW + CLOCKS.recovery.within


def test_of_several_demands_the_earliest_deadline_counts_and_the_next_begins_unmissed() -> None:
    record = having_heard(demanded(FIRST, due_at=DUE), demanded(SECOND, due_at=DUE + timedelta(days=9)))
    follow(record, NOW)
    record.missed_at = DUE
    follow(record, DUE)
    assert clock_of(record) == ("recovery", DUE, DUE)

    recoveries.hear(record, closed(100, 0, 0))
    follow(record, DUE)
    assert clock_of(record) == ("recovery", DUE + timedelta(days=9), None)

    recoveries.hear(record, closed(100, 0, 0, SECOND))
    follow(record, DUE)
    assert clock_of(record) == (None, None, None)


@pytest.mark.parametrize("status", ["approved", "withdrawn"])
def test_a_demand_heard_before_its_award_leaves_the_wait_as_it_is(status: str) -> None:
    record = having_heard(demanded())
    record.status = status
    wait = waits.of_application(record)
    assert (wait.kind if wait else None) == {"approved": "award", "withdrawn": None}[status]


def follow(record: Application, now: datetime) -> None:
    waits.follow(record, waits.of_application(record), CLOCKS, now)


def clock_of(record: Application) -> tuple[str | None, datetime | None, datetime | None]:
    return record.waits_for, record.due_at, record.missed_at


def test_what_is_stored_reads_back() -> None:
    record = having_heard(demanded(due_at=datetime(2026, 6, 19, 2, 0, 0, 123456, tzinfo=UTC)), recovered(1, 99))
    [found] = recoveries.demanded(record)
    assert found.due_at == datetime(2026, 6, 19, 2, 0, 0, 123456, tzinfo=UTC)
    assert isinstance(next(iter(record.recoveries.values()))["due_at"], str)
