"""What follows from an answer: delivered, again later, or given up."""

from datetime import UTC, datetime, timedelta

import pytest

from intake.push.posting import Reply
from intake.push.retrying import Again, Delivered, GiveUp, asked_for, next_step

NOW = datetime(2026, 3, 15, 8, 0, tzinfo=UTC)
S, H = timedelta(seconds=1), timedelta(hours=1)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert next_step(Reply(status), NOW - 30 * H, NOW, 0.0) == Delivered()


@pytest.mark.parametrize("reply", [Reply(199), Reply(301), Reply(404), Reply(500), Reply(error="timeout")])
@pytest.mark.parametrize(
    ("failed_for", "chance", "pause"),
    [
        (None, 1.0, 5 * S),
        (None, 0.0, 2.5 * S),
        (3 * S, 1.0, 5 * S),
        (40 * S, 1.0, 40 * S),
        (40 * S, 0.0, 20 * S),
        (2 * H, 1.0, H),
        (24 * H - S, 1.0, H),
    ],
)
def test_the_pause_is_as_long_as_it_has_failed(
    reply: Reply, failed_for: timedelta | None, chance: float, pause: timedelta
) -> None:
    since = NOW - failed_for if failed_for else None
    assert next_step(reply, since, NOW, chance) == Again(NOW + pause)


def test_after_a_day_it_is_given_up_and_at_once_when_it_says_that_it_is_gone() -> None:
    assert next_step(Reply(500), NOW - 24 * H, NOW, 0.5) == GiveUp("failing")
    assert next_step(Reply(410), None, NOW, 0.5) == GiveUp("gone")


@pytest.mark.parametrize(
    ("asked", "moment"),
    [
        ("0", NOW),
        ("120", NOW + 120 * S),
        ("999999999999999999999", NOW + 6 * H),
        ("Sun, 15 Mar 2026 08:05:00 GMT", NOW + 300 * S),
        ("Sun, 15 Mar 2099 08:05:00 GMT", NOW + 6 * H),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_a_retry_after_is_read_in_both_forms_and_bounded(asked: str | None, moment: datetime | None) -> None:
    assert asked_for(asked, NOW) == moment


def test_it_is_kept_to_where_it_asks_for_more_than_the_pause() -> None:
    assert next_step(Reply(503, retry_after="600"), None, NOW, 1.0) == Again(NOW + 600 * S, NOW + 600 * S)
    assert next_step(Reply(503, retry_after="1"), None, NOW, 1.0) == Again(NOW + 5 * S, NOW + S)
