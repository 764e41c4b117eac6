"""A claim: checked, verified, and its payment ordered, in one transaction, before the answer leaves."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from benchmarks.peers.synchronous import ledger, paying, showing
from benchmarks.peers.synchronous.models import Application, Award, Claim, Invoice
from benchmarks.peers.synchronous.office import Office, note
from contracts import common
from contracts.codec import to_builtins
from contracts.events import ClaimSubmitted
from contracts.policy import Policy
from disbursement import rules
from eligibility import claim_rules
from eligibility.claim_rules import Verification
from intake import rules as portal_rules
from intake import submission
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7


async def claim(office: Office, key: Key, client: str, award_id: UUID, body: dict[str, Any]) -> Answer:
    """Take in a claim; return its state: payable, unless it is rejected."""
    now = datetime.now(UTC)

    async def keep(session: AsyncSession) -> Answer:
        award = await _award(session, award_id, client)
        application = award.application
        policy = office.policy(application)
        portal_rules.check_claimable(showing.record_of(application, award), policy, body, now)
        await _check_invoices(session, body)
        made = _new(award, body, now)
        session.add(made)
        note(session, application, "claim.submitted", now, made.claim_id)
        found = _verify(policy, application, made)
        made.reasons = to_builtins(found.reasons) if not found.verified else None
        if found.verified:
            await _pay(session, office, award, made, found, now)
        else:
            made.status = "rejected"
            note(session, application, "claim.rejected", now, made.claim_id)
        showing.follow_claim(made, application, policy.clocks, now)
        shown = msgspec.json.encode(showing.claim(made, application))
        return Answer(201, shown, {"location": f"/v1/claims/{made.claim_id}"})

    return await office.once(key, now, keep)


async def _award(session: AsyncSession, award_id: UUID, client: str) -> Award:
    query = select(Award).where(Award.award_id == award_id).options(joinedload(Award.application))
    award = await session.scalar(query)
    if award is None or award.application.client != client:
        raise portal_rules.not_found("award", award_id)
    return award


async def _check_invoices(session: AsyncSession, body: dict[str, Any]) -> None:
    """Refuse an invoice that counts in another claim. Two that race for one meet at its primary key."""
    keys = [(invoice["seller"], invoice["number"]) for invoice in body["invoices"]]
    query = select(Invoice.seller, Invoice.number).where(tuple_(Invoice.seller, Invoice.number).in_(keys))
    taken = {tuple(row) for row in await session.execute(query)}
    for position, key in enumerate(keys):
        if key in taken:
            raise portal_rules.invoice_already_claimed(position, key[1])


def _new(award: Award, body: dict[str, Any], now: datetime) -> Claim:
    return Claim(
        claim_id=uuid7(),
        application_id=award.application_id,
        award_id=award.award_id,
        status="submitted",
        body=body,
        submitted_at=now,
        updated_at=now,
        payment=None,
    )


def _verify(policy: Policy, application: Application, made: Claim) -> Verification:
    told = ClaimSubmitted(
        occurred_at=made.submitted_at,
        application_id=application.application_id,
        scheme=application.scheme,
        applicant=application.applicant,
        district=application.district,
        claim_id=made.claim_id,
        award_id=made.award_id,
        invoices=msgspec.convert(made.body["invoices"], tuple[common.Invoice, ...]),
        usage=msgspec.convert(made.body["usage"], common.Usage | None),
        submitted_at=made.submitted_at,
    )
    assert application.decision is not None, "it was awarded"
    decided_at = datetime.fromisoformat(application.decision["decided_at"])
    submitted = submission.told(showing.record_of(application, None), {}, application.submitted_at)
    return claim_rules.verify(told, claim_rules.support(policy, submitted, decided_at), set())


async def _pay(
    session: AsyncSession, office: Office, award: Award, made: Claim, found: Verification, now: datetime
) -> None:
    """Obligate the rate of the expense, at most the award's rest; order the payment."""
    application = award.application
    note(session, application, "claim.verified", now, made.claim_id, eligible=found.eligible.amount)
    session.add_all(Invoice(seller=seller, number=number, claim_id=made.claim_id) for seller, number in found.counted)
    pool = await ledger.lock(session, award.pool)
    await session.refresh(award, ["status", "committed", "obligated", "disbursed"])
    made.eligible = found.eligible.amount
    payable, made.limited_by = rules.payable_amount(made.eligible, award.rate, award.committed)
    if award.committed == 0 or payable == 0:
        refused = rules.NOTHING_LEFT if award.committed == 0 else rules.NOTHING_ELIGIBLE
        made.status, made.reasons = "rejected", to_builtins([refused])
        note(session, application, "claim.refused", now, made.claim_id)
        return
    made.status, made.payable = "payable", payable
    award.committed -= payable
    award.obligated += payable
    if award.committed == 0:
        award.status = "exhausted"
    payment = await paying.order(session, office, award, made, payable, now)
    ledger.post(
        session,
        pool,
        await ledger.envelope_of(session, office.policy(application), award.fiscal_year),
        award,
        command=f"claim.payable:{made.claim_id}",
        source="committed",
        target="obligated",
        amount=payable,
        now=now,
        claim_id=made.claim_id,
        payment_id=payment.payment_id,
    )
    told = {"payable": payable, "payment_status": payment.status, "limited_by": made.limited_by}
    note(session, application, "claim.payable", now, made.claim_id, **told)
