"""Payments: ordered once, held while finance is asked whose the account is, settled by finance's report."""

from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from benchmarks.peers.synchronous import ledger, showing
from benchmarks.peers.synchronous.models import Account, Application, Award, Claim, Payment, Pool, Report
from benchmarks.peers.synchronous.office import Office, note
from contracts.codec import to_builtins
from contracts.events import AccountVerificationRequested, PaymentInstructed, PaymentReturned, PaymentSettled
from contracts.money import Money
from contracts.policy import Policy
from disbursement import creditors, refusals, reports
from kit.idempotency import Answer, Key, answer
from kit.identifiers import uuid7

_HOLDS: Final = {"asked": "account", "rejected": "account_rejected", "verified": None}


async def order(
    session: AsyncSession, office: Office, award: Award, claim: Claim, amount: int, now: datetime
) -> Payment:
    """Order the payment of a claim; it is held where its account or its size demands it. The pool is locked."""
    payment_id = uuid7()
    payment = Payment(
        payment_id=payment_id,
        claim=claim,
        award_id=award.award_id,
        application_id=award.application_id,
        applicant=award.application.applicant,
        scheme=award.scheme,
        pool=award.pool,
        amount=amount,
        end_to_end_id=f"DD{payment_id.hex}",
        status="instructed",
        attempt=1,
        verification_id=award.verification_id,
        instructed_at=now,
    )
    account = None
    if award.verification_id is not None:  # locked, so that its answer does not pass this payment by
        account = await session.get(Account, award.verification_id, with_for_update={"read": True})
    _place(payment, office.policy(award.application), account)
    session.add(payment)
    return payment


def _place(payment: Payment, policy: Policy, account: Account | None) -> None:
    payment.hold = _HOLDS[account.status] if account else None
    limit = policy.payments.release_above
    if payment.hold is None and limit is not None and payment.amount > limit.amount:
        payment.hold = "release"
    payment.status = "held" if payment.hold else "instructed"


# --- what finance says ------------------------------------------------------------------------------------------


async def report(office: Office, key: Key, event: PaymentSettled | PaymentReturned) -> Answer:
    """Keep what the bank says of a payment; the first report on what is under way moves its money, no other does."""
    now = datetime.now(UTC)

    async def keep(session: AsyncSession) -> Answer:
        pool, payment = await _locked(session, event.payment_id)
        said = await session.scalars(select(Report).where(Report.payment_id == event.payment_id))
        effect, detail = reports.of_payment(payment, event, said)  # type: ignore[arg-type]  # rows have what it reads
        if effect == "moved":
            assert pool is not None
            assert payment is not None
            payment.bank_reference = event.bank_reference
            if isinstance(event, PaymentSettled):
                await _settle(session, office, pool, payment, event, now)
            else:
                _return(session, office, payment, event, now)
        session.add(_kept(event, effect, detail, now))
        return answer(200, {"effect": effect, "detail": detail})

    return await office.once(key, now, keep)


async def _locked(session: AsyncSession, payment_id: UUID) -> tuple[Pool | None, Payment | None]:
    """Lock the pool of a payment, then read the payment with its claim, application and award."""
    place = select(Payment.pool).where(Payment.payment_id == payment_id).scalar_subquery()
    pool = await session.scalar(select(Pool).where(Pool.pool == place).with_for_update())
    whole = joinedload(Payment.claim).joinedload(Claim.application)
    query = select(Payment).where(Payment.payment_id == payment_id)
    return pool, await session.scalar(query.options(whole.joinedload(Application.award)))


async def _settle(
    session: AsyncSession, office: Office, pool: Pool, payment: Payment, event: PaymentSettled, now: datetime
) -> None:
    claim = _claim_of(payment)
    application, award = claim.application, claim.application.award
    assert award is not None, "what is paid was awarded"
    policy = office.policy(application)
    payment.status, payment.settled_at, claim.status = "settled", event.settled_at, "paid"
    award.obligated -= payment.amount
    award.disbursed += payment.amount
    ledger.post(
        session,
        pool,
        await ledger.envelope_of(session, policy, award.fiscal_year),
        award,
        command=f"payment.settled:{payment.payment_id}",
        source="obligated",
        target="disbursed",
        amount=payment.amount,
        now=now,
        claim_id=claim.claim_id,
        payment_id=payment.payment_id,
    )
    claim.updated_at = now
    note(session, application, "claim.paid", now, claim.claim_id, paid=payment.amount)
    showing.follow_claim(claim, application, policy.clocks, now)


def _return(session: AsyncSession, office: Office, payment: Payment, event: PaymentReturned, now: datetime) -> None:
    """The money stays obligated: what finance does next is not covered."""
    claim = _claim_of(payment)
    payment.status, payment.reason_code, claim.updated_at = "returned", event.reason_code, now
    note(session, claim.application, "claim.unpaid", now, claim.claim_id, reason_code=event.reason_code)
    showing.follow_claim(claim, claim.application, office.policy(claim.application).clocks, now)


def _claim_of(payment: Payment) -> Claim:
    """Return the claim of a payment that was loaded with it, and let it know its payment without another query."""
    set_committed_value(payment.claim, "payment", payment)
    return payment.claim


def _kept(event: PaymentSettled | PaymentReturned, effect: str, detail: str, now: datetime) -> Report:
    return Report(
        report_id=uuid7(),
        payment_id=event.payment_id,
        type=event.TYPE,
        effect=effect,
        detail=detail,
        amount=event.money.amount,
        bank_reference=event.bank_reference,
        received_at=now,
    )


async def account_is(
    office: Office, key: Key, verification_id: UUID, says: Literal["verified", "rejected"], reason_code: str | None
) -> Answer:
    """Keep whose an account is; payments that waited for it go on."""
    now = datetime.now(UTC)

    async def keep(session: AsyncSession) -> Answer:
        account = await session.get(Account, verification_id, with_for_update=True)
        if account is None:
            raise refusals.not_found("verification", verification_id)
        if account.status != "asked":
            return answer(200, {"effect": "duplicate", "detail": f"already {account.status}"})
        account.status, account.reason_code = says, reason_code
        held = select(Payment).where(Payment.verification_id == verification_id, Payment.status == "held")
        for payment in await session.scalars(held.options(joinedload(Payment.claim).joinedload(Claim.application))):
            _go_on(session, office, payment, account, now)
        return answer(200, {"effect": "moved", "detail": ""})

    return await office.once(key, now, keep)


def _go_on(session: AsyncSession, office: Office, payment: Payment, account: Account, now: datetime) -> None:
    claim = _claim_of(payment)
    policy = office.policy(claim.application)
    payment.instructed_at = now
    _place(payment, policy, account)
    if payment.status == "instructed":
        note(session, claim.application, "claim.instructed", now, claim.claim_id, attempt=payment.attempt)
    claim.updated_at = now
    showing.follow_claim(claim, claim.application, policy.clocks, now)


# --- what finance reads --------------------------------------------------------------------------------------------


async def instructed(office: Office, limit: int) -> list[dict[str, Any]]:
    """Return the payments that finance has not reported on, as the contract tells them."""
    query = select(Payment).where(Payment.status == "instructed").order_by(Payment.payment_id).limit(limit)
    async with office.sessions() as session:
        found = await session.scalars(query.options(joinedload(Payment.account)))
        return [_instruction(office, payment) for payment in found]


def _instruction(office: Office, payment: Payment) -> dict[str, Any]:
    account = payment.account
    assert account is not None, "a voucher's account is asked about"
    told = PaymentInstructed(
        occurred_at=payment.instructed_at,
        application_id=payment.application_id,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment.payment_id,
        award_id=payment.award_id,
        claim_id=payment.claim_id,
        pool=payment.pool,
        creditor=creditors.opened(office.keyring, account.application_id, account.sealed),
        money=Money(payment.amount),
        end_to_end_id=payment.end_to_end_id,
        purpose=f"{payment.scheme} {payment.claim_id}",
        instructed_at=payment.instructed_at,
        attempt=payment.attempt,
    )
    found: dict[str, Any] = to_builtins(told)
    return found


async def asked(office: Office, limit: int) -> list[dict[str, Any]]:
    """Return the accounts that finance has not answered for, as the contract tells them."""
    query = select(Account).where(Account.status == "asked").order_by(Account.verification_id).limit(limit)
    async with office.sessions() as session:
        return [_question(office, account) for account in await session.scalars(query)]


def _question(office: Office, account: Account) -> dict[str, Any]:
    told = AccountVerificationRequested(
        occurred_at=account.asked_at,
        application_id=account.application_id,
        scheme=account.scheme,
        applicant=account.applicant,
        verification_id=account.verification_id,
        creditor=creditors.opened(office.keyring, account.application_id, account.sealed),
        question=1,
    )
    found: dict[str, Any] = to_builtins(told)
    return found
