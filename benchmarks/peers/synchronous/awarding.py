"""An approval becomes an award, within every limit, or waits in line; under the pool's lock."""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.peers.synchronous import ledger, showing
from benchmarks.peers.synchronous.models import Account, Application, Award, Cap, Envelope, Pool
from benchmarks.peers.synchronous.office import Office, note
from contracts.codec import to_builtins
from contracts.common import Request
from contracts.policy import Policy
from disbursement import creditors, limits, rules
from eligibility import support
from eligibility.rules import RELATED
from intake import persons
from kit.identifiers import uuid7

_CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


async def award_or_wait(session: AsyncSession, office: Office, application: Application, now: datetime) -> Award | None:
    """Award as much as every limit allows; where the envelope or the pool is short, the application waits in line."""
    policy = office.policy(application)
    assert policy.pool is not None, "a voucher is money"
    pool = await ledger.lock(session, policy.pool)
    application.fiscal_year = rules.fiscal_year(now, policy.timezone)
    envelope = await ledger.envelope_of(session, policy, application.fiscal_year)
    short_of = await _must_wait(session, application)
    award = None
    if short_of is None:
        award, short_of = await _decide(session, office, application, pool, envelope, now)
    if short_of is not None:
        fact = {"short_of": short_of, "on_hold": False, "since": now}
        application.progress = {**application.progress, "waitlisted": to_builtins(fact)}
        application.status = "waitlisted"
        note(session, application, "application.waitlisted", now)
    showing.follow(application, award, policy.clocks, now)
    return award


async def serve(session: AsyncSession, office: Office, policy: Policy, now: datetime) -> None:
    """Give what is available to those who wait, first come first served, until the next does not fit."""
    assert policy.pool is not None, "a voucher is money"
    pool = await ledger.lock(session, policy.pool)
    waiting = select(Application).where(Application.status == "waitlisted").order_by(Application.submitted_at)
    for application in await session.scalars(waiting.with_for_update()):
        assert application.fiscal_year is not None
        envelope = await ledger.envelope_of(session, policy, application.fiscal_year)
        award, short_of = await _decide(session, office, application, pool, envelope, now)
        if short_of is not None:
            return
        showing.follow(application, award, policy.clocks, now)
        await session.flush()  # the next one may share its cap


async def _must_wait(session: AsyncSession, application: Application) -> str | None:
    """Nobody overtakes: who comes while others wait is short of what they are short of."""
    first = (
        select(Application.progress["waitlisted"]["short_of"].astext)
        .where(Application.status == "waitlisted", Application.scheme == application.scheme)
        .order_by(Application.submitted_at)
        .limit(1)
    )
    return await session.scalar(first)


async def _decide(
    session: AsyncSession,
    office: Office,
    application: Application,
    pool: Pool,
    envelope: Envelope | None,
    now: datetime,
) -> tuple[Award | None, str | None]:
    """Return the award, or what it is short of; neither where a limit leaves nothing."""
    policy = office.policy(application)
    members = support.cap_members(application.applicant, application.facts[RELATED])
    caps = await _caps(session, application, members)
    stack = support.stack(policy, msgspec.convert(application.body["request"], Request))
    assert application.approved is not None, "it was approved"
    amount, limited_by = rules.award_amount(
        application.approved,
        cap_left=policy.cap.amount - sum(cap.granted for cap in caps.values()) if policy.cap else None,
        stack_left=stack.limit.amount - stack.other.amount if stack else None,
        envelope_left=envelope.available if envelope else None,
        pool_left=pool.available,
    )
    if limited_by in ("envelope", "pool") and (policy.waitlist == "whole" or amount == 0):
        return None, limited_by
    if amount == 0:
        refused = {"reasons": [limits.refusal(limited_by)], "since": now}
        application.progress = {**application.progress, "refused": to_builtins(refused)}
        application.status = "rejected"
        note(session, application, "award.refused", now)
        return None, None
    award = _award(application, policy, amount, limited_by, now)
    award.verification_id = await _account(session, office, application, now)
    _take(session, caps, application, amount)
    session.add(award)
    ledger.post(
        session,
        pool,
        envelope,
        award,
        command=f"award.issued:{application.application_id}",
        source="available",
        target="committed",
        amount=amount,
        now=now,
    )
    application.status = "awarded"
    note(session, application, "award.issued", now, awarded=amount, limited_by=limited_by)
    return award, None


async def _caps(session: AsyncSession, application: Application, members: tuple[str, ...]) -> dict[str, Cap]:
    query = select(Cap).where(
        Cap.scheme == application.scheme, Cap.fiscal_year == application.fiscal_year, Cap.holder.in_(members)
    )
    return {cap.holder: cap for cap in await session.scalars(query)}


def _take(session: AsyncSession, caps: dict[str, Cap], application: Application, amount: int) -> None:
    own = caps.get(application.applicant)
    if own is not None:
        own.granted += amount
        return
    assert application.fiscal_year is not None
    session.add(
        Cap(
            scheme=application.scheme,
            fiscal_year=application.fiscal_year,
            holder=application.applicant,
            granted=amount,
        )
    )


def _award(application: Application, policy: Policy, amount: int, limited_by: str, now: datetime) -> Award:
    assert policy.pool is not None
    assert application.fiscal_year is not None
    assert application.rate is not None
    return Award(
        award_id=uuid7(),
        application=application,
        pool=policy.pool,
        scheme=application.scheme,
        fiscal_year=application.fiscal_year,
        district=application.district,
        status="active",
        rate=application.rate,
        awarded=amount,
        committed=amount,
        obligated=0,
        disbursed=0,
        limited_by=limited_by,
        voucher_code=_voucher_code(policy),
        issued_at=now,
        valid_until=rules.months_later(now, policy.validity_months),
    )


def _voucher_code(policy: Policy) -> str:
    drawn = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(16))
    return "-".join([policy.number_prefix, *(drawn[at : at + 4] for at in range(0, 16, 4))])


async def _account(session: AsyncSession, office: Office, application: Application, now: datetime) -> UUID | None:
    """Return the company's account; finance is asked about one that is new."""
    if not office.policy(application).payments.verify_account:
        return None
    carried = persons.told(application.body["applicant"]["account"])
    kept = creditors.kept(office.keyring, application.application_id, carried)
    clear = creditors.opened(office.keyring, application.application_id, kept)
    fingerprint = creditors.fingerprint(office.keyring, application.applicant, clear)
    known = select(Account.verification_id).where(
        Account.applicant == application.applicant, Account.fingerprint == fingerprint
    )
    if (found := await session.scalar(known)) is not None:
        return found
    account = Account(
        verification_id=uuid7(),
        applicant=application.applicant,
        fingerprint=fingerprint,
        status="asked",
        application_id=application.application_id,
        scheme=application.scheme,
        sealed=kept,
        asked_at=now,
    )
    session.add(account)
    return account.verification_id
