"""What is decided of a request, whichever way it is stored: the checks before the lock, the rows and the answer after.

The checks, the event and the view are intake's own pure functions, so that both do the same work.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.codec import encode
from contracts.events import ApplicationSubmitted
from contracts.policy import Policy
from contracts.topics import TOPIC_OF, event_type
from intake import rules, submission, views, waits
from intake.records import Application
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7

TOPIC = TOPIC_OF[ApplicationSubmitted].name
TYPE = event_type(ApplicationSubmitted)
COUNTERS = """
CREATE TABLE counters (scheme text, year integer, last integer NOT NULL, PRIMARY KEY (scheme, year))
"""


class Sent(msgspec.Struct, frozen=True):
    """One request: ``body`` is the checked JSON without the scheme."""

    key: Key
    client: str
    traceparent: str | None
    scheme: str
    body: dict[str, Any]


class Accepted(msgspec.Struct, frozen=True):
    """What is to be stored of it."""

    application: Application
    event_id: UUID
    event: bytes
    answer: Answer


def check(policies: dict[str, Policy], sent: Sent, now: datetime) -> Policy:
    """Return the policy under which it may be submitted; raise the refusal."""
    policy = rules.current_policy([policies[sent.scheme]] if sent.scheme in policies else [], now)
    if policy is None:
        raise rules.unknown_scheme(sent.scheme, list(policies))
    submission.check(policy, sent.body, {}, now)
    return policy


def year_of(policy: Policy, now: datetime) -> int:
    return rules.local_date(now, policy).year


def accept(policy: Policy, sent: Sent, number: int, now: datetime) -> Accepted:
    """Return the rows and the answer for the application that gets this number."""
    applicant = sent.body["applicant"]
    application = Application(
        application_id=uuid7(),
        number=f"{policy.number_prefix}-{year_of(policy, now)}-{number:06d}",
        scheme=policy.scheme,
        applicant=applicant["uscc"],
        district=applicant["district"],
        status="submitted",
        policy_version=policy.version,
        provisional=policy.provisional,
        body=sent.body,
        created_at=now,
        updated_at=now,
        submitted_at=now,
        happenings=1,
        version=2,
        client=sent.client,
    )
    waits.follow(application, waits.of_application(application), policy.clocks, now)
    shown = msgspec.json.encode(views.application(application, []))
    headers = {"etag": '"2"', "location": f"/v1/applications/{application.application_id}"}
    event = encode(submission.told(application, {}, now))
    return Accepted(application, uuid7(), event, Answer(201, shown, headers))
