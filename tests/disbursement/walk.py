"""Turns random steps into what the service hears and into moves of the model, and compares the two, to the fen.

Steps are taken batch by batch: a batch of events is one transaction of the consumer, orders are one of the writer,
and an expiry one of the clocks. The model takes its steps while the batch holds the pool's lock: with several writers
at once it sees them in the order in which they were committed.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contracts.events import AwardIssued, Event, PaymentInstructed, RecoveryDemanded
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement import orders, tables
from disbursement.commands import Propose, apply
from disbursement.handlers import handle
from tests.disbursement.model import Model
from tests.disbursement.scenes import (
    NOW,
    POOL,
    SCHEME,
    Scene,
    approved,
    message,
    received,
    returned,
    settled,
    verified,
    withdrawn,
)

Step = tuple[str, int, int]
"""What, which one (picked among those known), how much."""

EVENTS: Final = ("approve", "approve", "approve", "again", "withdraw", "claim", "claim", "settle", "return", "receive")
ORDERS: Final = ("instruct", "cancel", "revoke", "close", "demand", "write_off", "pool", "envelope")
COMPANIES: Final = [f"9144030000000000{number:02d}" for number in range(8)]
LATER: Final = NOW + timedelta(days=400)
_LINES: Final = 400


class Walk:
    """The service and the model, side by side."""

    def __init__(self, model: Model, *, version: str = "small") -> None:
        self.model = model
        self.steps = 0
        self._version = version
        self._first = (model.pool, model.envelope)
        self._approvals: list[Any] = []
        self._awards: dict[UUID, AwardIssued] = {}
        self._payments: dict[UUID, PaymentInstructed] = {}
        self._recoveries: dict[UUID, RecoveryDemanded] = {}

    # --- batches ------------------------------------------------------------------------------------------------------

    async def tell(self, scene: Scene, steps: Sequence[Step]) -> None:
        """Handle a batch of events."""
        pairs = [pair for step in steps if (pair := self._event(*step))]
        if not pairs:
            return
        said = await handle(scene.connection, [message(event) for event, _ in pairs], NOW)
        await said.make_writes()
        for _, move in pairs:
            move()
        self._hear(announcement.event for announcement in said)
        self.steps += len(pairs)

    async def order(self, scene: Scene, steps: Sequence[Step]) -> None:
        """Carry out orders: proposed in one group, approved in the next, where they take two."""
        pairs = [pair for step in steps if (pair := self._order(*step))]
        for subject, move in pairs:
            propose = Propose(key=None, traceparent=None, by="first", subject=subject, reason="by chance")
            [outcome], said = await apply(scene.connection, [propose], NOW)
            await said.make_writes()
            if not isinstance(outcome, Exception):
                self._hear(announcement.event for announcement in said)
                outcome = await self._approve(scene, subject)
            done = move()
            assert done != isinstance(outcome, Exception), f"{subject}: the model says {done}, the service {outcome}"
            self.steps += 1

    async def _approve(self, scene: Scene, subject: orders.AnySubject) -> Any:
        if isinstance(subject, orders.ALONE):
            return None
        try:
            self._hear(await scene.approve_last())
        except Refusal as refusal:
            return refusal
        return None

    async def expire(self, scene: Scene, pick: int) -> None:
        """Let one award's time be over."""
        running = [key for key, award in self.model.awards.items() if award.status == "active"]
        if not running:
            return
        application = running[pick % len(running)]
        subject = ("awards", str(self._awards[application].award_id))
        missed = await scene.miss([subject], LATER)
        if missed.kinds:  # nothing is due where it was issued, from the line, when this clock had passed already
            self.model.end(application, "expired")
        self._hear(announcement.event for announcement in missed.said)
        self.steps += 1

    def _hear(self, events: Any) -> None:
        for event in events:
            match event:
                case AwardIssued():
                    self._awards[event.application_id] = event
                case PaymentInstructed():
                    self._payments[event.claim_id] = event
                case RecoveryDemanded():
                    self._recoveries[event.recovery_id] = event

    # --- one step: what the service hears, and the model's move ------------------------------------------------------

    def _event(self, kind: str, pick: int, amount: int) -> tuple[Event, Callable[[], Any]] | None:
        model = self.model
        match kind:
            case "approve":
                return self._approve_new(pick, amount)
            case "again" if self._approvals:
                approval = self._approvals[pick % len(self._approvals)]
                return approval, lambda: model.approve(
                    approval.application_id, approval.applicant, approval.approved.amount, _minute(approval)
                )
            case "withdraw" if self._approvals:
                return self._withdraw(self._approvals[pick % len(self._approvals)])
            case "claim" if self._awards:
                award = _pick(self._awards, pick)
                claim = verified(award, amount)
                return claim, lambda: model.claim(claim.claim_id, award.application_id, amount)
            case "settle" | "return" if self._payments:
                return self._report(kind, pick, amount)
            case "receive" if self._recoveries:
                recovery = _pick(self._recoveries, pick)
                reference = f"R{pick % 5}"
                receipt = received(recovery, amount, reference=reference)
                return receipt, lambda: model.receive(recovery.recovery_id, amount, reference)
        return None

    def _approve_new(self, pick: int, amount: int) -> tuple[Event, Callable[[], Any]]:
        company = COMPANIES[pick % len(COMPANIES)]
        minute = pick % 31
        approval = approved(amount, applicant=company, minute=minute, policy_version=self._version)
        self._approvals.append(approval)
        return approval, lambda: self.model.approve(approval.application_id, company, amount, minute)

    def _withdraw(self, approval: Any) -> tuple[Event, Callable[[], Any]] | None:
        award = self.model.awards.get(approval.application_id)
        if award is not None and (award.status != "active" or award.obligated or award.disbursed):
            return None  # intake lets nobody withdraw once there is a claim
        return withdrawn(approval), lambda: self.model.withdraw(approval.application_id)

    def _report(self, kind: str, pick: int, amount: int) -> tuple[Event, Callable[[], Any]]:
        payment = _pick(self._payments, pick)
        attempt = max(1, payment.attempt - (amount % 7 == 0))  # some speak of the attempt before
        reference = f"B{attempt}"
        outcome, make = ("settled", settled) if kind == "settle" else ("returned", returned)
        report = make(payment, bank_reference=reference, attempt=attempt)
        return report, lambda: self.model.report(payment.claim_id, outcome, attempt, reference)

    def _order(self, kind: str, pick: int, amount: int) -> tuple[orders.AnySubject, Callable[[], bool]] | None:
        model = self.model
        match kind:
            case "instruct" | "cancel" if self._payments:
                payment = _pick(self._payments, pick)
                if kind == "instruct":
                    return orders.InstructPayment(payment_id=payment.payment_id), lambda: model.instruct_again(
                        payment.claim_id
                    )
                return orders.CancelPayment(payment_id=payment.payment_id), lambda: model.cancel(payment.claim_id)
            case "revoke" | "close" | "demand" if self._awards:
                return self._of_award(kind, _pick(self._awards, pick), amount)
            case "write_off" if self._recoveries:
                recovery = _pick(self._recoveries, pick).recovery_id
                return orders.WriteOffRecovery(recovery_id=recovery), lambda: model.write_off(recovery)
            case "pool":
                sum_ = self._first[0] + (amount - 350) * (1 + pick % 3)
                return orders.SetAppropriation(pool=POOL, money=Money(sum_)), lambda: model.set_pool(sum_)
            case "envelope":
                sum_ = self._first[1] + (amount - 350) * (1 + pick % 3)
                subject = orders.SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(sum_))
                return subject, lambda: model.set_envelope(sum_)
        return None

    def _of_award(self, kind: str, award: AwardIssued, amount: int) -> tuple[orders.AnySubject, Callable[[], bool]]:
        application = award.application_id
        match kind:
            case "revoke":
                return orders.RevokeAward(award_id=award.award_id), lambda: self.model.end(application, "revoked")
            case "close":
                return orders.CloseAward(award_id=award.award_id), lambda: self.model.end(application, "closed")
            case _:
                subject = orders.DemandRecovery(award_id=award.award_id, money=Money(amount))
                return subject, lambda: self.model.demand(self._newest(award), application, amount)

    def _newest(self, award: AwardIssued) -> Any:
        """Return the demand that the service made just now; something else where it made none."""
        mine = [key for key, each in self._recoveries.items() if each.award_id == award.award_id]
        return next((key for key in reversed(mine) if key not in self.model.recoveries), object())

    # --- the comparison -----------------------------------------------------------------------------------------------

    async def compare(self, scene: Scene) -> None:
        """Compare everything that the model knows."""
        await self.compare_pool(scene)
        model = self.model
        awards = {row.application_id: row for row in await scene.rows(tables.awards)}
        assert awards.keys() == model.awards.keys()
        for application, award in model.awards.items():
            row = awards[application]
            found = (row.awarded, row.committed, row.obligated, row.disbursed, row.status)
            assert found == (award.awarded, award.rest, award.obligated, award.disbursed, award.status)
        waiting = [row for row in await scene.rows(tables.applications) if row.state == "waitlisted"]
        assert {row.application_id for row in waiting} == {entry[1] for entry in model.line}
        assert sum(row.waiting for row in await scene.rows(tables.lines)) == len(model.line)
        caps = {row.holder: row.granted for row in await scene.rows(tables.caps) if row.granted}
        assert caps == {company: granted for company, granted in model.granted.items() if granted}
        payments = {row.claim_id: (row.amount, row.status, row.attempt) for row in await scene.rows(tables.payments)}
        assert payments == {key: (each.amount, each.status, each.attempt) for key, each in model.payments.items()}
        recoveries = {
            row.recovery_id: (row.demanded - row.received - row.written_off, row.status)
            for row in await scene.rows(tables.recoveries)
        }
        assert recoveries == {key: (each.owed, each.status) for key, each in model.recoveries.items()}

    async def compare_pool(self, scene: Scene) -> None:
        """Compare the pool and its envelope."""
        model, pool, envelope = self.model, await scene.pool(), await scene.envelope()
        kept = (pool.appropriated, pool.available, pool.committed, pool.obligated, pool.disbursed)
        assert kept == (model.pool, model.available, model.committed, model.obligated, model.disbursed)
        if envelope is not None:
            assert (envelope.appropriated, envelope.available) == (model.envelope, model.envelope_left)


def _pick(known: dict[UUID, Any], pick: int) -> Any:
    keys = list(known)[-_LINES:]
    return known[keys[pick % len(keys)]]


def _minute(approval: Any) -> int:
    return int((approval.submitted_at - NOW).total_seconds() // 60)
