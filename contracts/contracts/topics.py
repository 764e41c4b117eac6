"""The topics: who writes each, what it carries, how it is keyed. One topic has exactly one writing service.

Partition counts never change: a key must stay on its partition for as long as its events are ordered.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from contracts import events as e
from contracts.events import Event

SERVICES: Final = ("intake", "eligibility", "disbursement", "metrics")
TYPE_PREFIX: Final = "drawdown."
TYPE_SUFFIX: Final = ".v1"


class Topic(msgspec.Struct, frozen=True):
    """A Kafka topic of the contract. ``key`` names the field of the data that orders its events."""

    name: str
    writer: str
    key: str
    events: tuple[type[Event], ...]
    partitions: int = 12
    compacted: bool = False


def event_type(event: type[Event]) -> str:
    """Return the CloudEvents type, e.g. ``drawdown.award.issued.v1``."""
    return f"{TYPE_PREFIX}{event.TYPE}{TYPE_SUFFIX}"


_TOPICS: Final = (
    Topic(
        "intake.applications",
        "intake",
        "applicant",
        (
            e.ApplicationSubmitted,
            e.ApplicationWithdrawn,
            e.ApplicationLapsed,
            e.ClarificationAnswered,
            e.AppealLodged,
            e.ClaimSubmitted,
            e.ClaimWithdrawn,
        ),
    ),
    Topic("eligibility.policies", "eligibility", "scheme", (e.PolicyPublished,), partitions=1, compacted=True),
    Topic(
        "eligibility.decisions",
        "eligibility",
        "applicant",
        (
            e.ClarificationRequested,
            e.ReviewOpened,
            e.ApplicationApproved,
            e.ApplicationReassessed,
            e.ApplicationRejected,
            e.AppealDecided,
            e.ClaimVerified,
            e.ClaimRejected,
        ),
    ),
    Topic(
        "disbursement.awards",
        "disbursement",
        "applicant",
        (
            e.AwardIssued,
            e.ApplicationWaitlisted,
            e.AwardRefused,
            e.AwardChanged,
            e.AwardExpiryAnnounced,
            e.AwardExpired,
            e.AwardRevoked,
            e.AwardClosed,
            e.AwardRecovered,
            e.ClaimPayable,
            e.ClaimInstructed,
            e.ClaimPaid,
            e.ClaimRefused,
            e.ClaimUnpaid,
            e.ClaimCancelled,
        ),
    ),
    Topic(
        "disbursement.payments",
        "disbursement",
        "applicant",
        (
            e.PaymentInstructed,
            e.PaymentStatusRequested,
            e.PaymentCancelled,
            e.RecoveryDemanded,
            e.RecoveryClosed,
            e.AccountVerificationRequested,
        ),
    ),
    Topic(
        "finance.payment-status",
        "finance",
        "payment_id",
        (e.PaymentSettled, e.PaymentReturned, e.RecoveryReceived, e.AccountVerified, e.AccountRejected),
    ),
    Topic("disbursement.ledger", "disbursement", "pool", (e.TransferPosted, e.EnvelopeSet), partitions=6),
    *(Topic(f"{service}.dead-letters", service, "", (), partitions=3) for service in SERVICES),
)


TOPICS: Final[dict[str, Topic]] = {topic.name: topic for topic in _TOPICS}
TOPIC_OF: Final[dict[type[Event], Topic]] = {event: topic for topic in _TOPICS for event in topic.events}
HURRIED: Final[frozenset[type[Event]]] = frozenset(
    (
        e.ApplicationSubmitted,
        e.ApplicationApproved,
        e.ApplicationRejected,
        e.AwardIssued,
        e.ApplicationWaitlisted,
        e.AwardRefused,
    )
)
"""What an applicant waits for, from the submission to the award. All others may wait a moment to share a batch."""
EVENTS: Final[dict[str, type[Event]]] = {event_type(event): event for event in TOPIC_OF}


def topics_with(events: Iterable[type[Event]]) -> list[str]:
    """Return the names of the topics that carry any of these events, sorted."""
    return sorted({TOPIC_OF[event].name for event in events})
