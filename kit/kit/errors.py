"""The families of failure. What to do about an error is said by its class, where it is raised.

Business refusals are no failures: they are ``contracts.refusal.Refusal`` and become an answer.
"""


class TransientError(Exception):
    """It may work in a while without anybody doing anything: try again, backing off."""


class NotYetError(Exception):
    """An event refers to something that another topic has still to bring: it is parked and tried again by itself."""


class PermanentError(Exception):
    """It will never work as it stands: a person has to look."""


class FencedError(Exception):
    """Another process has taken over: whatever this one still holds is stale."""


class OverloadedError(Exception):
    """The queue is full: say so at once. ``retry_after_seconds`` is when to come back."""

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__("the queue is full")
        self.retry_after_seconds = retry_after_seconds


class SetupError(Exception):
    """An operator has to change something; the message is one line that says what."""
