"""Publishes policy documents: a row per version, and its event, once, however many processes start together."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import PolicyPublished
from contracts.policy import Policy
from contracts.refusal import Refusal
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

    Raises SetupError when one of them can't be published (``publish_one``); then nothing is recorded.
    """
    announcements = Announcements()
    async with database.transaction() as connection:
        now = await assessments.now(connection)
        for document in documents:
            policy = document.policy
            if policy.status != "published":
                continue
            try:
                event = await publish_one(connection, document, now)
            except Refusal as refusal:
                raise SetupError(f"{document.name}: {refusal.text.en}") from refusal
            if event is not None:
                announcements.say(event)
        await outbox.add(connection, announcements)
    log.info("policies_published", new=len(announcements))


async def publish_one(connection: AsyncConnection, document: Document, now: datetime) -> PolicyPublished | None:
    """Record one version; return what to announce, None when it was published before.

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
        return PolicyPublished(occurred_at=now, scheme=policy.scheme, policy_version=policy.version, policy=policy)
    if recorded_hash != document.content_hash:
        raise refusals.changed_text(policy.scheme, policy.version)
    return None
