"""The usual ledger: one transaction per command, which locks its pool's row, checks, and writes.

Hand-written statements over asyncpg, which keeps them prepared. What can be done before the lock is done before it;
under the lock are one read, one write and the commit. It has balances, caps, envelopes, a waiting line, a table of
processed events and an outbox. It has no chain of hashes, and tells of an award or a payment without the transfer.
"""

import secrets
from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from benchmarks.peers import row_lock_sql as sql
from contracts.codec import encode
from contracts.common import Account, LimitedBy, Reason, Text
from contracts.events import (
    ApplicationApproved,
    ApplicationWaitlisted,
    AwardIssued,
    AwardRefused,
    ClaimPaid,
    ClaimPayable,
    ClaimRefused,
    ClaimVerified,
    Event,
    PaymentInstructed,
    PaymentSettled,
)
from contracts.money import Money, share
from contracts.policy import Policy
from contracts.topics import TOPIC_OF, event_type
from kit.identifiers import uuid7

_CAP_USED_UP: Final = Reason("cap_exhausted", "cap", "not_met", Text(zh="已达上限。", en="The cap is used up."))
_NOTHING_LEFT: Final = Reason("nothing_left", "rest", "not_met", Text(zh="额度已用完。", en="Nothing is left."))


async def create(connection: asyncpg.Connection, policies: Iterable[Policy], appropriated: Money) -> None:
    """Create the tables, open the policies' pools and this year's envelopes."""
    await connection.execute(sql.TABLES)
    for policy in policies:
        await connection.execute(sql.OPEN_POOL, policy.pool, appropriated.amount)
        if policy.envelope:
            year = _year(policy, datetime.now(UTC))
            await connection.execute(sql.OPEN_ENVELOPE, policy.scheme, year, policy.pool, policy.envelope.amount)


class RowLock:
    """The ledger. It reads policies once, as they never change."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {(policy.scheme, policy.version): policy for policy in policies}
        self._latest = {policy.scheme: policy for policy in self._policies.values()}

    async def apply(self, connection: asyncpg.Connection, event_id: UUID, event: Event) -> None:
        """Apply one event in a transaction of its own; one that was applied before changes nothing."""
        now = datetime.now(UTC)
        async with connection.transaction():
            if await connection.execute(sql.DEDUPLICATE, event_id) == "INSERT 0 0":
                return
            match event:
                case ApplicationApproved():
                    await self._approve(connection, event, now)
                case ClaimVerified():
                    await self._claim(connection, event, now)
                case PaymentSettled():
                    await self._settle(connection, event, now)

    async def _approve(self, connection: asyncpg.Connection, event: ApplicationApproved, now: datetime) -> None:
        policy = self._policies[(event.scheme, event.policy_version)]
        year = _year(policy, now)
        pool_left = await connection.fetchval(sql.LOCK_POOL, policy.pool)
        limits = await connection.fetchrow(sql.LIMITS, event.scheme, year, event.cap_holder, event.application_id)
        assert limits is not None
        if limits["known"]:
            return
        amount, limited_by = _least(event, policy, pool_left, limits)
        short = limited_by in ("envelope", "pool")
        if limits["line"] or (short and (policy.waitlist == "whole" or amount == 0)):
            told: Event = _waitlisted(event, policy, limited_by if short else "envelope", now)
            await _decline(connection, event, year, "waitlisted", encode(event), told)
        elif amount == 0:
            await _decline(connection, event, year, "refused", None, _refused(event, now))
        else:
            await _award(connection, event, policy, year, amount, limited_by, now)

    async def _claim(self, connection: asyncpg.Connection, event: ClaimVerified, now: datetime) -> None:
        pool = self._latest[event.scheme].pool
        await connection.fetchval(sql.LOCK_POOL, pool)
        award = await connection.fetchrow(sql.AWARD_OF_CLAIM, event.award_id, event.claim_id)
        if award is None:
            raise LookupError(f"there is no award {event.award_id}")
        if award["known"]:
            return
        payable = min(share(event.eligible.amount, award["rate"]), award["committed"])
        if payable == 0:
            await _reject_claim(connection, event, now)
        else:
            await _pay_claim(connection, event, award, str(pool), payable, now)

    async def _settle(self, connection: asyncpg.Connection, event: PaymentSettled, now: datetime) -> None:
        payment = await connection.fetchrow(sql.PAYMENT, event.payment_id)
        if payment is None:
            return  # a report on what was never instructed moves nothing
        await connection.fetchval(sql.LOCK_POOL, payment["pool"])
        told = ClaimPaid(
            occurred_at=now,
            application_id=payment["application_id"],
            scheme=payment["scheme"],
            applicant=payment["applicant"],
            claim_id=payment["claim_id"],
            award_id=payment["award_id"],
            payment_id=event.payment_id,
            paid=event.money,
            settled_at=event.settled_at,
        )
        moved = (event.payment_id, event.money.amount, event.end_to_end_id, event.settled_at, event.bank_reference)
        transfer = (uuid7(), f"payment.settled:{event.payment_id}", now)
        event_id, topic, _key, kind, data = _outbox(told)
        await connection.execute(sql.SETTLE, *moved, *transfer, event_id, topic, kind, data)


def _least(event: ApplicationApproved, policy: Policy, pool_left: int, limits: asyncpg.Record) -> tuple[int, LimitedBy]:
    found: list[tuple[int, LimitedBy]] = [(event.approved.amount, "approved")]
    if policy.cap is not None:
        found.append((max(0, policy.cap.amount - (limits["granted"] or 0)), "cap"))
    if policy.envelope is not None:
        found.append((limits["envelope"], "envelope"))
    found.append((pool_left, "pool"))
    return min(found, key=lambda limit: limit[0])


async def _award(
    connection: asyncpg.Connection,
    event: ApplicationApproved,
    policy: Policy,
    year: int,
    amount: int,
    limited_by: LimitedBy,
    now: datetime,
) -> None:
    told = AwardIssued(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        award_id=uuid7(),
        pool=policy.pool,
        district=event.district,
        policy_version=event.policy_version,
        kind=event.kind,
        voucher_code=f"{policy.number_prefix}-{secrets.token_hex(10)}" if event.kind == "voucher" else None,
        approved=event.approved,
        awarded=Money(amount),
        limited_by=limited_by,
        valid_from=now,
        valid_until=_months_later(now, policy.validity_months),
    )
    application = (event.application_id, event.applicant, event.scheme, year, event.submitted_at)
    award = (told.award_id, told.pool, told.district, event.cap_holder, told.policy_version, told.kind)
    sums = (told.voucher_code, event.rate, event.approved.amount, amount, limited_by, _json(event.creditor))
    transfer = (uuid7(), f"award.issued:{event.application_id}")
    await connection.execute(sql.AWARD, *application, *award, *sums, now, told.valid_until, *transfer, *_outbox(told))


async def _decline(
    connection: asyncpg.Connection, event: ApplicationApproved, year: int, state: str, kept: bytes | None, told: Event
) -> None:
    application = (event.application_id, event.applicant, event.scheme, year, state, event.submitted_at, kept)
    await connection.execute(sql.DECLINE, *application, *_outbox(told))


async def _pay_claim(
    connection: asyncpg.Connection, event: ClaimVerified, award: asyncpg.Record, pool: str, payable: int, now: datetime
) -> None:
    payment_id = uuid7()
    about: dict[str, Any] = {
        "occurred_at": now,
        "application_id": event.application_id,
        "scheme": event.scheme,
        "applicant": event.applicant,
        "claim_id": event.claim_id,
        "award_id": event.award_id,
        "payment_id": payment_id,
    }
    asked = share(event.eligible.amount, award["rate"])
    payable_event = ClaimPayable(
        **about,
        payable=Money(payable),
        limited_by="rate" if asked <= award["committed"] else "rest",
        rest=Money(award["committed"] - payable),
    )
    instruction = PaymentInstructed(
        **about,
        pool=pool,
        creditor=msgspec.json.decode(award["creditor"], type=Account),
        money=Money(payable),
        end_to_end_id=f"RL{payment_id.hex}",
        purpose=f"{event.scheme} {event.claim_id}",
        instructed_at=now,
    )
    claim = (event.claim_id, event.award_id, event.application_id, event.applicant, event.eligible.amount, payable, now)
    payment = (payment_id, event.scheme, award["fiscal_year"], pool, instruction.end_to_end_id, award["creditor"])
    transfer = (uuid7(), f"claim.payable:{event.claim_id}")
    events = []
    for told in (payable_event, instruction):
        event_id, topic, _applicant, kind, data = _outbox(told)
        events += [event_id, topic, kind, data]
    await connection.execute(sql.PAY_CLAIM, *claim, *payment, *transfer, *events)


async def _reject_claim(connection: asyncpg.Connection, event: ClaimVerified, now: datetime) -> None:
    told = ClaimRefused(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        claim_id=event.claim_id,
        award_id=event.award_id,
        reasons=(_NOTHING_LEFT,),
    )
    claim = (event.claim_id, event.award_id, event.application_id, event.applicant, event.eligible.amount, now)
    await connection.execute(sql.REJECT_CLAIM, *claim, *_outbox(told))


def _waitlisted(
    event: ApplicationApproved, policy: Policy, short_of: LimitedBy, now: datetime
) -> ApplicationWaitlisted:
    return ApplicationWaitlisted(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        pool=policy.pool or "",
        approved=event.approved,
        short_of=short_of,
    )


def _refused(event: ApplicationApproved, now: datetime) -> AwardRefused:
    return AwardRefused(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        reasons=(_CAP_USED_UP,),
    )


def _outbox(event: Event) -> tuple[UUID, str, str, str, bytes]:
    """Return an event's row: its id, topic, key, type and data."""
    topic = TOPIC_OF[type(event)]
    return uuid7(), topic.name, str(getattr(event, topic.key)), event_type(type(event)), encode(event)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _year(policy: Policy, moment: datetime) -> int:
    return moment.astimezone(ZoneInfo(policy.timezone)).year


def _months_later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
