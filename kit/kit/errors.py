"""The families of failure. What to do about an error is said by its class, where it is raised.

Business refusals are no failures: they are ``contracts.refusal.Refusal`` and become an answer.
"""

import random
from typing import Final

_LONGEST_AWAY_SECONDS: Final = 3


class TransientError(Exception):
    """It may work in a while without anybody doing anything: try again, backing off."""


class NotYetError(Exception):
    """An event refers to something that another topic has still to bring: it is parked and tried again by itself."""


class PermanentError(Exception):
    """It will never work as it stands: a person has to look."""


class FencedError(Exception):
    """Another process has taken over: whatever this one still holds is stale."""


class OverloadedError(TransientError):
    """Too many wait already: say so at once. Nothing of what was asked is done.

    ``retry_after_seconds`` is when to come back: not the same for all, so that a crowd does not come back as one.
    """

    def __init__(self, retry_after_seconds: int | None = None) -> None:
        super().__init__("too many wait already")
        self.retry_after_seconds = retry_after_seconds or random.randint(1, _LONGEST_AWAY_SECONDS)  # noqa: S311


class SetupError(Exception):
    """An operator has to change something; the message is one line that says what."""
