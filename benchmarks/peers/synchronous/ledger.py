"""Money: a pool's row locked, then moved with its envelope's, each move a transfer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.peers.synchronous.models import Award, Envelope, Pool, Transfer
from contracts.policy import Policy
from disbursement import rules
from kit.identifiers import uuid7


async def lock(session: AsyncSession, pool: str) -> Pool:
    """Lock a pool: until the end of the transaction nobody else moves its money, or what hangs on it."""
    return await session.get_one(Pool, pool, with_for_update=True)


async def envelope_of(session: AsyncSession, policy: Policy, year: int) -> Envelope | None:
    """Return the scheme's envelope of a fiscal year, new where this is its first use; its pool is locked."""
    if policy.envelope is None:
        return None
    found = await session.get(Envelope, (policy.scheme, year))
    if found is None:
        limit = policy.envelope.amount
        found = Envelope(
            scheme=policy.scheme,
            fiscal_year=year,
            appropriated=limit,
            available=limit,
            committed=0,
            obligated=0,
            disbursed=0,
        )
        session.add(found)
    return found


def post(
    session: AsyncSession,
    pool: Pool,
    envelope: Envelope | None,
    award: Award,
    *,
    command: str,
    source: str,
    target: Any,
    amount: int,
    now: datetime,
    claim_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> None:
    """Post one transfer. ``command`` names the cause, which the database keeps unique."""
    for books in (pool, envelope):
        if books is not None:
            rules.move(books, source, target, amount)  # type: ignore[arg-type]  # it has the five sums
    pool.version += 1
    session.add(
        Transfer(
            transfer_id=uuid7(),
            command=command,
            pool=pool.pool,
            version=pool.version,
            source=source,
            target=target,
            amount=amount,
            scheme=award.scheme,
            district=award.district,
            award_id=award.award_id,
            claim_id=claim_id,
            payment_id=payment_id,
            posted_at=now,
        )
    )
