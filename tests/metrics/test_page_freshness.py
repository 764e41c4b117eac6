"""Whether the page calls its figures current: by events that wait, since when, and by who does not answer."""

import asyncio

import pytest

from kit.errors import TransientError
from kit.lag import Lag
from metrics.page.freshness import LATE_SECONDS, UNKNOWN, Freshness, Watch

CURRENT = Freshness("current")


def lag(reached: int, end: int, topic: str = "disbursement.ledger", partition: int = 0) -> Lag:
    return Lag(topic, partition, reached, end, max(0, end - reached))


async def _never() -> list[Lag]:
    raise AssertionError


@pytest.fixture
def watch() -> Watch:
    return Watch(_never)


def test_before_the_first_look_nothing_is_known(watch: Watch) -> None:
    assert watch.now(0) == UNKNOWN


def test_with_nothing_to_be_counted_the_figures_are_current(watch: Watch) -> None:
    watch.note([lag(7, 7), lag(0, 0, partition=1)], 100)
    assert watch.now(101) == CURRENT


def test_what_waits_at_the_first_look_may_have_waited_for_long(watch: Watch) -> None:
    watch.note([lag(5, 7), lag(1, 2, partition=1)], 100)
    assert watch.now(100) == Freshness("late", events=3)


def test_an_event_on_its_way_is_not_late_until_it_is(watch: Watch) -> None:
    watch.note([lag(5, 5)], 100)
    watch.note([lag(5, 7)], 104)
    assert watch.now(104) == CURRENT
    watch.note([lag(5, 9)], 104 + LATE_SECONDS)
    assert watch.now(114) == Freshness("late", events=4, seconds=int(LATE_SECONDS))
    watch.note([lag(9, 9)], 118)
    assert watch.now(118) == CURRENT


def test_events_that_keep_coming_and_are_counted_are_not_late(watch: Watch) -> None:
    for look in range(20):
        watch.note([lag(100 * look, 100 * look + 50)], 100 + 4 * look)
        assert watch.now(100 + 4 * look) == (CURRENT if look else Freshness("late", events=50))


def test_an_old_look_says_nothing_any_more(watch: Watch) -> None:
    watch.note([lag(7, 7)], 100)
    assert watch.now(119) == CURRENT
    assert watch.now(121) == UNKNOWN


def test_a_topic_that_was_lost_makes_the_figures_doubtful(watch: Watch) -> None:
    watch.note([lag(9, 3)], 100)
    assert watch.now(100) == UNKNOWN


async def test_it_goes_on_watching_when_nobody_answers() -> None:
    looks = 0
    looked = asyncio.Event()

    async def read() -> list[Lag]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise TransientError("Kafka does not answer")
        looked.set()
        return [lag(1, 1)]

    stop = asyncio.Event()
    watch = Watch(read, poll_seconds=0.01)
    running = asyncio.create_task(watch.run(stop))
    await looked.wait()
    stop.set()
    await running
    assert watch.now(asyncio.get_running_loop().time()) == CURRENT
