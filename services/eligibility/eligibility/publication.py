"""Publishes policy documents: a row per version, and its event, once, however many processes start together."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PolicyPublished
from contracts.policy import Policy
from eligibility import refusals
from eligibility.policies import Document, overlap
from eligibility.store import assessments, policies
from kit import outbox
from kit.database import Database
from kit.errors import SetupError
from kit.logging import get_logger
from kit.outbox import Announcements

log = get_logger(__name__)


async def publish(database: Database, documents: Iterable[Document]) -> None:
    """Record and announce each published version that is new; a draft is recorded nowhere.

    Raises SetupError when a version that was published before says something else now; then nothing is recorded.
    """
    announcements = Announcements()
    async with database.transaction() as connection:
        now = await assessments.now(connection)
        for document in documents:
            policy = document.policy
            if policy.status != "published":
                continue
            recorded_hash = await policies.add(connection, policy, document.content_hash)
            if recorded_hash is None:
                announcements.say(_published(policy, now))
            elif recorded_hash != document.content_hash:
                raise SetupError(
                    f"{document.name}: {policy.scheme} {policy.version} was published with another text; "
                    "a published version never changes, so give the change a new version"
                )
        await outbox.add(connection, announcements)
    log.info("policies_published", new=len(announcements))


async def publish_one(connection: AsyncConnection, document: Document, now: datetime) -> PolicyPublished | None:
    """Record one version while the system runs; return what to announce, None when it was published before.

    Raises a Refusal when that version has another text, or is in force at the same time as another one.
    """
    policy = document.policy
    await policies.lock(connection, policy.scheme)
    recorded = await policies.read(connection, policy.scheme)
    others = [msgspec.convert(one["document"], Policy) for one in recorded]
    if said := overlap(policy, others):
        raise refusals.policy_invalid(said)
    recorded_hash = await policies.add(connection, policy, document.content_hash)
    if recorded_hash is None:
        return _published(policy, now)
    if recorded_hash != document.content_hash:
        raise refusals.changed_text(policy.scheme, policy.version)
    return None


def _published(policy: Policy, now: datetime) -> PolicyPublished:
    return PolicyPublished(occurred_at=now, scheme=policy.scheme, policy_version=policy.version, policy=policy)
