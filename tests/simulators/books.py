"""Books made by hand, in which everything is right: one award, two claims, two payments.

The bank sent both payments back. One was instructed again and settled, the other given up; of that one finance also
said that it was settled, which it was not.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from contracts.chain import GENESIS, transfer_hash
from contracts.common import Account, Company, Request
from contracts.events import ApplicationSubmitted, AwardRefused, ClaimSubmitted, PaymentCancelled
from contracts.money import Money
from stack.simulators.asks import Ask, ask
from stack.simulators.auditor import Evidence
from stack.simulators.population import company
from stack.simulators.portal import Told
from stack.simulators.reading import Record
from stack.simulators.views import (
    ApplicationView,
    Assessment,
    Award,
    AwardInApplication,
    BankEntry,
    BankReport,
    ClaimInApplication,
    DecisionView,
    Discrepancy,
    Payment,
    PaymentInClaim,
    Pool,
    ReasonView,
)
from stack.simulators.words import Says
from tests.simulators.payments import NOW, instruction

POOL = "ai-package-2025"
AWARDED, REJECTED, REFUSED = uuid4(), uuid4(), uuid4()
AWARD, PAID_CLAIM, GIVEN_UP_CLAIM, PAID, GIVEN_UP, LIE = (uuid4() for _ in range(6))
SETTLED_AT = datetime(2026, 3, 15, 8, 0, 3, tzinfo=UTC)


def an_ask() -> Ask:
    return ask(1, company(1, 0), NOW.date())


def transfers() -> list[dict[str, Any]]:
    """Appropriate 1000, commit 600, obligate 200 and 100, settle 200, give 100 up."""
    moves = [
        ("appropriated", "available", 1000, None),
        ("available", "committed", 600, None),
        ("committed", "obligated", 200, PAID),
        ("committed", "obligated", 100, GIVEN_UP),
        ("obligated", "disbursed", 200, PAID),
        ("obligated", "committed", 100, GIVEN_UP),
    ]
    balances = dict.fromkeys(("available", "committed", "obligated", "disbursed"), 0)
    previous, posted = GENESIS, []
    for version, (source, target, amount, payment_id) in enumerate(moves, start=1):
        if source in balances:
            balances[source] -= amount
        balances[target] += amount
        transfer = {
            "pool": POOL,
            "version": version,
            "previous_hash": previous,
            "from": source,
            "to": target,
            "money": {"amount": amount, "currency": "CNY"},
            "payment_id": payment_id and str(payment_id),
            "balances": dict(balances),
        }
        previous = transfer_hash(transfer)
        posted.append({**transfer, "hash": previous})
    return posted


def pool(**changed: int) -> Pool:
    amounts = {"appropriated": 1000, "available": 400, "committed": 400, "obligated": 0, "disbursed": 200} | changed
    last = transfers()[-1]
    shape = {name: {"amount": amount, "currency": "CNY"} for name, amount in amounts.items()}
    return msgspec.convert({"pool": POOL, "version": last["version"], "hash": last["hash"], **shape}, Pool)


def metrics_text(balances: Pool) -> str:
    lines = [f'drawdown_pool_appropriated_yuan{{pool="{POOL}"}} {balances.appropriated.amount / 100}']
    for state, amount in balances.balances().items():
        lines.append(f'drawdown_pool_balance_yuan{{pool="{POOL}",state="{state}"}} {amount / 100}')
    return "\n".join(lines) + "\n"


def award_moneys() -> dict[str, Money]:
    return {"awarded": Money(600), "claimed": Money(200), "paid": Money(200), "rest": Money(400)}


def awarded_application() -> ApplicationView:
    return ApplicationView(
        application_id=AWARDED,
        status="awarded",
        decision=DecisionView("approved", Money(600)),
        award=AwardInApplication(AWARD, "active", **award_moneys(), limited_by="approved"),
        claims=[
            ClaimInApplication(PAID_CLAIM, "paid", Money(200), PaymentInClaim(PAID, "settled")),
            ClaimInApplication(
                GIVEN_UP_CLAIM,
                "rejected",
                Money(100),
                PaymentInClaim(GIVEN_UP, "cancelled"),
                [ReasonView("payment_cancelled", "not_met")],
            ),
        ],
    )


def payment(payment_id: UUID, claim_id: UUID, amount: int, status: Any, attempt: int = 1) -> Payment:
    return Payment(
        payment_id=payment_id,
        claim_id=claim_id,
        application_id=AWARDED,
        money=Money(amount),
        end_to_end_id=payment_id.hex,
        status=status,
        attempt=attempt,
        instructed_at=NOW,
        settled_at=SETTLED_AT if status == "settled" else None,
    )


def bank_entry(payment_id: UUID, amount: int, outcome: Any, attempt: int = 1) -> BankEntry:
    reports = [BankReport(uuid4(), "truth")]
    return BankEntry(payment_id, attempt, payment_id.hex, outcome, amount, times_reported=1, reports=reports)


def doubted(entry: BankEntry, says: Says, event_id: UUID) -> BankEntry:
    """Return the entry with a wrong report of it."""
    return msgspec.structs.replace(entry, reports=[*entry.reports, BankReport(event_id, says)])


def instructed(payment_id: UUID, claim_id: UUID, amount: int, attempt: int = 1, event_id: str = "") -> Record:
    event = msgspec.structs.replace(instruction(payment_id, amount, attempt), claim_id=claim_id)
    return Record("disbursement.payments", event.applicant, event_id or f"event {attempt} of {payment_id}", event)


def cancelled(payment_id: UUID, claim_id: UUID, amount: int) -> Record:
    """Return the word to finance that a payment is given up."""
    payment = instruction(payment_id, amount)
    event = PaymentCancelled(
        occurred_at=NOW,
        application_id=AWARDED,
        scheme=payment.scheme,
        applicant=payment.applicant,
        payment_id=payment_id,
        award_id=AWARD,
        claim_id=claim_id,
        money=Money(amount),
        end_to_end_id=payment.end_to_end_id,
        reason="no account",
    )
    return Record("disbursement.payments", event.applicant, f"cancellation of {payment_id}", event)


def submission(application_id: UUID) -> Record:
    account = Account(name="企业", account="1", bank_code="2")
    described = Company("91440300MA5003FYBC", "企业", "longhua", NOW.date(), "models", 5, opc=False, account=account)
    event = ApplicationSubmitted(
        occurred_at=NOW,
        application_id=application_id,
        scheme="compute-voucher",
        applicant=described.uscc,
        number="CV-2026-000001",
        district=described.district,
        policy_version="2026.1",
        company=described,
        request=Request(Money(1000)),
        submitted_at=NOW,
    )
    return Record("intake.applications", described.uscc, f"event of {application_id}", event)


def claim_submission(claim_id: UUID) -> Record:
    event = ClaimSubmitted(
        occurred_at=NOW,
        application_id=AWARDED,
        scheme="compute-voucher",
        applicant="91440300MA5003FYBC",
        claim_id=claim_id,
        award_id=AWARD,
        district="longhua",
        invoices=(),
        submitted_at=NOW,
    )
    return Record("intake.applications", event.applicant, f"event of {claim_id}", event)


def refusal(application_id: UUID) -> Record:
    event = AwardRefused(
        occurred_at=NOW,
        application_id=application_id,
        scheme="compute-voucher",
        applicant="91440300MA5003FYBC",
        reasons=(),
    )
    return Record("disbursement.awards", event.applicant, f"event of {application_id}", event)


def evidence(**changed: Any) -> Evidence:
    """Return the evidence of these books, with some of it replaced."""
    whole = Evidence(
        applications={
            AWARDED: awarded_application(),
            REJECTED: ApplicationView(
                REJECTED, "rejected", decision=DecisionView("rejected", None, [ReasonView("registered", "not_met")])
            ),
            REFUSED: ApplicationView(
                REFUSED, "rejected", decision=DecisionView("rejected", None, [ReasonView("cap_exhausted", "not_met")])
            ),
        },
        assessments={
            AWARDED: Assessment(AWARDED, "decided", "approved"),
            REJECTED: Assessment(REJECTED, "decided", "rejected"),
            REFUSED: Assessment(REFUSED, "decided", "approved"),
        },
        awards=[Award(AWARD, AWARDED, POOL, "active", **award_moneys(), issued_at=NOW)],
        payments=[
            payment(PAID, PAID_CLAIM, 200, "settled", attempt=2),
            payment(GIVEN_UP, GIVEN_UP_CLAIM, 100, "cancelled"),
        ],
        pools=[pool()],
        transfers={POOL: transfers()},
        metrics_pools=[pool()],
        metrics_text=metrics_text(pool()),
        discrepancies=[Discrepancy(LIE, "the payment is cancelled")],
        bank=[
            bank_entry(PAID, 200, "returned"),
            bank_entry(PAID, 200, "settled", attempt=2),
            doubted(bank_entry(GIVEN_UP, 100, "returned"), "settled", LIE),
        ],
        instructions=[
            instructed(PAID, PAID_CLAIM, 200),
            instructed(GIVEN_UP, GIVEN_UP_CLAIM, 100),
            instructed(PAID, PAID_CLAIM, 200, attempt=2),
            cancelled(GIVEN_UP, GIVEN_UP_CLAIM, 100),
        ],
        submissions=[submission(AWARDED), claim_submission(PAID_CLAIM)],
        award_events=[refusal(REFUSED)],
    )
    return replace(whole, **changed)


def told(**changed: Any) -> Told:
    """Return what the portal was told of these books, with some of it replaced."""
    accepted = dict.fromkeys((AWARDED, REJECTED, REFUSED), an_ask())
    whole = Told(accepted=accepted, claims={PAID_CLAIM: AWARD, GIVEN_UP_CLAIM: AWARD})
    return replace(whole, **changed)
