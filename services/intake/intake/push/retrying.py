"""What follows from the answer of a webhook. Pure: the time and the chance are handed in.

The wait before the next try is as long as it has failed so far, from 5 seconds to an hour; so it doubles.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from intake.push.posting import Reply

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(hours=1)
GIVEN_UP_AFTER: Final = timedelta(days=1)
LONGEST_ASKED: Final = timedelta(hours=6)  # of what a Retry-After may ask

_GONE: Final = 410


class Delivered(msgspec.Struct, frozen=True):
    """It was taken."""


class Again(msgspec.Struct, frozen=True):
    """It is tried again at ``at``; ``not_before`` is what the webhook asked for, for all that is sent to it."""

    at: datetime
    not_before: datetime | None = None


class GiveUp(msgspec.Struct, frozen=True):
    """The webhook is called no more: it is ``gone``, or has been ``failing`` for too long."""

    because: str


def next_step(reply: Reply, failing_since: datetime | None, now: datetime, chance: float) -> Delivered | Again | GiveUp:
    """Return what to do after an answer. ``chance`` lies between 0 and 1. A redirect is no success."""
    if reply.status is not None and 200 <= reply.status < 300:
        return Delivered()
    if reply.status == _GONE:
        return GiveUp("gone")
    failed_for = now - failing_since if failing_since else timedelta(0)
    if failed_for >= GIVEN_UP_AFTER:
        return GiveUp("failing")
    pause = min(max(failed_for, FIRST), LONGEST) * (0.5 + chance / 2)
    asked = asked_for(reply.retry_after, now)
    return Again(max(now + pause, asked) if asked else now + pause, asked)


def asked_for(retry_after: str | None, now: datetime) -> datetime | None:
    """Return the moment of a Retry-After (RFC 9110, section 10.2.3), None where there is none that can be read."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return now + min(timedelta(seconds=min(int(retry_after[:9]), 10**6)), LONGEST_ASKED)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return min(moment if moment.tzinfo else moment.replace(tzinfo=UTC), now + LONGEST_ASKED)
