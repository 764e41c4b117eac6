"""An application: checked, the registers asked, decided and awarded, in one transaction, before the answer leaves.

No transaction is open while the registers are asked. Where one is away, the application is kept, and tried again.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from benchmarks.peers.synchronous import awarding, showing
from benchmarks.peers.synchronous.models import NUMBERS, Application, Award, Contract
from benchmarks.peers.synchronous.office import Office, note
from contracts.codec import to_builtins
from contracts.events import ApplicationSubmitted
from contracts.policy import Policy
from eligibility import rules, texts
from eligibility.rules import Decision
from intake import persons, submission
from intake import rules as portal_rules
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7
from kit.logging import get_logger

log = get_logger(__name__)

_TRY_AGAIN: Final = timedelta(seconds=0.5)
_LOOK_EVERY_SECONDS: Final = 0.25
_TRIED_AT_ONCE: Final = 20
_NUMBER: Final = select(NUMBERS.next_value())
Facts = dict[str, Any]


async def apply(office: Office, key: Key, client: str, scheme: str, body: dict[str, Any]) -> Answer:
    """Take in an application; return its state, decided unless a register is away."""
    now = datetime.now(UTC)
    policy = office.current_policy(scheme, now)
    submission.check(policy, body, {}, now)
    application_id = uuid7()
    body = persons.sealed(office.keyring, application_id, body)
    application = _new(application_id, client, policy, body, now)
    submitted = _submitted(application)
    facts = await office.registers.ask(_wanted(policy, submitted))
    decision = rules.decide(office.rulebook(application), submitted, facts, datetime.now(UTC))

    async def keep(session: AsyncSession) -> Answer:
        fresh = _new(application_id, client, policy, body, now)
        year = portal_rules.local_date(now, policy).year
        fresh.number = f"{policy.number_prefix}-{year}-{await session.scalar(_NUMBER):06d}"
        session.add(fresh)
        note(session, fresh, "application.submitted", now)
        award = await _conclude(session, office, fresh, facts, decision)
        shown = msgspec.json.encode(showing.application(fresh, award, []))
        headers = {"etag": f'"{fresh.version}"', "location": f"/v1/applications/{fresh.application_id}"}
        return Answer(201, shown, headers)

    return await office.once(key, now, keep)


async def withdraw(office: Office, key: Key, client: str, application_id: UUID, reason: str) -> Answer:
    """Take an application back that has no award; who waits behind it may be served."""
    now = datetime.now(UTC)

    async def keep(session: AsyncSession) -> Answer:
        application = await _locked(session, application_id)
        if application is None or application.client != client:
            raise portal_rules.not_found("application", application_id)
        portal_rules.check_withdrawable(showing.record_of(application, None))
        policy, waited = office.policy(application), application.status == "waitlisted"
        application.status = "withdrawn"
        application.progress = {**application.progress, "withdrawn_at": now.isoformat()}
        showing.follow(application, None, policy.clocks, now)
        note(session, application, "application.withdrawn", now, **({"reason": reason} if reason else {}))
        await session.flush()
        if waited:
            await awarding.serve(session, office, policy, now)
        shown = msgspec.json.encode(showing.application(application, None, []))
        return Answer(200, shown, {"etag": f'"{application.version}"'})

    return await office.once(key, now, keep)


async def try_again(office: Office, stop: asyncio.Event) -> None:
    """Until ``stop``: assess again what waits for a register."""
    due = (
        select(Application)
        .where(Application.status == "assessing")
        .order_by(Application.next_try_at)
        .limit(_TRIED_AT_ONCE)
    )
    while not stop.is_set():
        async with office.sessions() as session:
            found = (await session.scalars(due.where(Application.next_try_at <= datetime.now(UTC)))).all()
        await asyncio.gather(*(_assess_again(office, one) for one in found))
        try:
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY_SECONDS)
        except TimeoutError:
            continue


async def _assess_again(office: Office, seen: Application) -> None:
    submitted = _submitted(seen)
    facts = await office.registers.ask(_wanted(office.policy(seen), submitted))
    decision = rules.decide(office.rulebook(seen), submitted, facts, datetime.now(UTC))
    async with office.sessions.begin() as session:
        application = await _locked(session, seen.application_id)
        if application is not None and application.status == "assessing":
            await _conclude(session, office, application, facts, decision)


async def _locked(session: AsyncSession, application_id: UUID) -> Application | None:
    query = select(Application).where(Application.application_id == application_id).with_for_update()
    return await session.scalar(query)


def _new(application_id: UUID, client: str, policy: Policy, body: dict[str, Any], now: datetime) -> Application:
    return Application(
        application_id=application_id,
        number="",
        scheme=policy.scheme,
        applicant=body["applicant"]["uscc"],
        district=body["applicant"]["district"],
        client=client,
        status="submitted",
        version=1,
        policy_version=policy.version,
        provisional=policy.provisional,
        body=body,
        facts={},
        progress={},
        happenings=0,
        submitted_at=now,
        created_at=now,
        updated_at=now,
    )


def _submitted(application: Application) -> ApplicationSubmitted:
    return submission.told(showing.record_of(application, None), {}, application.submitted_at)


def _wanted(policy: Policy, submitted: ApplicationSubmitted) -> dict[str, str]:
    """Return which register is asked about which company."""
    wanted = dict.fromkeys(sorted(rules.facts_needed(policy)), submitted.applicant)
    if submitted.request.contract is not None and rules.PROVIDER in wanted:
        wanted[rules.PROVIDER] = submitted.request.contract.provider
    return wanted


async def _conclude(
    session: AsyncSession, office: Office, application: Application, facts: Facts, decision: Decision
) -> Award | None:
    """Let an application be what was decided; an approval is awarded in the same transaction."""
    now = decision.decided_at
    if decision.outcome == "approved":
        decision = await _take_contract(session, application, decision)
        facts = {**facts, rules.CONTRACT_SUPPORT: {"held": decision.outcome == "approved"}}
    application.facts = facts
    clocks = office.policy(application).clocks
    if decision.outcome == "undecided":
        _wait(session, office, application, facts, now)
        showing.follow(application, None, clocks, now)
        return None
    approved = decision.approved.amount if decision.approved else None
    application.decision = {
        "outcome": decision.outcome,
        "approved": approved,
        "reasons": to_builtins(decision.reasons),
        "decided_at": now.isoformat(),
    }
    application.approved, application.rate = approved, decision.rate
    application.status, application.next_try_at = decision.outcome, None
    note(session, application, f"application.{decision.outcome}", now)
    if decision.outcome == "rejected":
        showing.follow(application, None, clocks, now)
        return None
    return await awarding.award_or_wait(session, office, application, now)


async def _take_contract(session: AsyncSession, application: Application, decision: Decision) -> Decision:
    """A contract counts once in a scheme; who comes second is rejected."""
    contract = application.body["request"]["contract"]
    taken = (
        insert(Contract)
        .values(
            scheme=application.scheme,
            provider=contract["provider"],
            number=contract["number"],
            application_id=application.application_id,
        )
        .on_conflict_do_nothing()
    )
    done = await session.execute(taken.returning(Contract.application_id))
    holds = done.first() is not None
    reasons = (*decision.reasons, texts.condition("contract-already-supported", holds=holds))
    if holds:
        return replace(decision, reasons=reasons)
    return replace(decision, outcome="rejected", reasons=reasons, approved=None)


def _wait(session: AsyncSession, office: Office, application: Application, facts: Facts, now: datetime) -> None:
    missing = sorted(rules.facts_needed(office.policy(application)) - facts.keys())
    application.next_try_at = now + _TRY_AGAIN
    if application.status != "assessing":
        what = to_builtins(texts.waiting_for_registers(missing))
        review = {"holder": "registers", "what": what, "since": now.isoformat()}
        application.status, application.progress = "assessing", {"review": review}
        note(session, application, "review.opened", now)


async def find(session: AsyncSession, application_id: UUID, client: str | None) -> Application:
    """Return an application with its award; raise the 404 refusal where the client sent none of this id."""
    query = select(Application).where(Application.application_id == application_id)
    application = await session.scalar(query.options(joinedload(Application.award)))
    if application is None or client not in (None, application.client):
        raise portal_rules.not_found("application", application_id)
    return application
