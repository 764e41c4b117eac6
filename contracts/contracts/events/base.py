"""What events share: an event says what happened, in the past tense.

``Event.TYPE`` is the name without the ``drawdown.`` before it and the ``.v1`` behind it.
"""

from typing import ClassVar

import msgspec

from contracts.common import Identifier, Instant, Uscc


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events share: when the fact became true, by the writer's clock."""

    TYPE: ClassVar[str] = ""
    PRIVATE: ClassVar[bool] = False
    """Whether it says in clear what is kept sealed elsewhere: until it is sent, it is kept sealed too."""

    occurred_at: Instant


class ApplicationEvent(Event, frozen=True, kw_only=True):
    """A fact about one application of one company."""

    application_id: Identifier
    scheme: str
    applicant: Uscc


class ClaimEvent(ApplicationEvent, frozen=True, kw_only=True):
    """A fact about one claim against an award."""

    claim_id: Identifier
    award_id: Identifier
