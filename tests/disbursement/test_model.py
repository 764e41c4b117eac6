"""Random lives, in batches of random size, against the model: equal to the fen after every batch."""

from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import AwardIssued, Event, PaymentInstructed
from contracts.money import Money
from disbursement import tables
from kit.database import Database
from tests.disbursement.model import Model
from tests.disbursement.scenes import (
    NOW,
    Scene,
    approved,
    opened_pool,
    policy,
    publish,
    returned,
    settled,
    verified,
    withdrawn,
)

COMPANIES = [f"9144030000000000{number:02d}" for number in range(4)]
POOL_FEN, ENVELOPE_FEN, CAP_FEN = 2_500, 2_000, 900

Step = tuple[str, int, int]

# Small sums near every limit: 4 companies want up to 700 fen each time, of an envelope of 2,000.
STEPS = st.tuples(
    st.sampled_from(["approve", "approve", "again", "withdraw", "claim", "claim", "settle", "return"]),
    st.integers(0, 30),
    st.integers(1, 700),
)
BATCHES = st.lists(st.lists(STEPS, min_size=1, max_size=12), min_size=1, max_size=8)


class Walk:
    """Turns steps into events for the service and moves for the model, and compares the two."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.model = Model(POOL_FEN, ENVELOPE_FEN, CAP_FEN, 60)
        self.approvals: list[Any] = []
        self.awards: dict[UUID, AwardIssued] = {}
        self.payments: dict[UUID, PaymentInstructed] = {}

    async def batch(self, steps: list[Step]) -> None:
        """Send a batch of steps; steps that name an award or a payment pick one known before the batch."""
        events = [event for step in steps for event in self._event(step)]
        if events:
            for event in await self.scene.tell(*events):
                if isinstance(event, AwardIssued):
                    self.awards[event.application_id] = event
                if isinstance(event, PaymentInstructed):
                    self.payments[event.claim_id] = event
        await self._compare()

    def _event(self, step: Step) -> list[Event]:
        kind, pick, amount = step
        match kind:
            case "approve":
                company = COMPANIES[pick % len(COMPANIES)]
                approval = approved(amount, applicant=company, minute=pick, policy_version="small")
                self.approvals.append(approval)
                self.model.approve(approval.application_id, company, amount, pick)
                return [approval]
            case "again" if self.approvals:
                approval = self.approvals[pick % len(self.approvals)]
                self.model.approve(
                    approval.application_id, approval.applicant, approval.approved.amount, pick_minute(approval)
                )
                return [approval]
            case "withdraw" if self.approvals:
                approval = self.approvals[pick % len(self.approvals)]
                award = self.model.awards.get(approval.application_id)
                if award is not None and (award.rest == 0 or award.obligated or award.disbursed):
                    return []  # intake lets nobody withdraw once there is a claim
                self.model.withdraw(approval.application_id)
                return [withdrawn(approval)]
            case "claim" if self.awards:
                award_event = list(self.awards.values())[pick % len(self.awards)]
                claim = verified(award_event, amount)
                self.model.claim(claim.claim_id, award_event.application_id, amount)
                return [claim] if pick % 3 else [claim, claim]
            case "settle" if self.payments:
                payment = list(self.payments.values())[pick % len(self.payments)]
                self.model.settle(payment.claim_id)
                return [settled(payment)]
            case "return" if self.payments:
                payment = list(self.payments.values())[pick % len(self.payments)]
                self.model.send_back(payment.claim_id)
                return [returned(payment)]
        return []

    async def _compare(self) -> None:
        model, pool, envelope = self.model, await self.scene.pool(), await self.scene.envelope()
        kept = (pool.available, pool.committed, pool.obligated, pool.disbursed)
        assert kept == (model.available, model.committed, model.obligated, model.disbursed)
        if envelope is not None:
            assert envelope.available == model.envelope_left
        awards = {row.application_id: row for row in await self.scene.rows(tables.awards)}
        assert awards.keys() == model.awards.keys()
        for application_id, award in model.awards.items():
            row = awards[application_id]
            found = (row.awarded, row.committed, row.obligated, row.disbursed)
            assert found == (award.awarded, award.rest, award.obligated, award.disbursed)
        waiting = [row for row in await self.scene.rows(tables.applications) if row.state == "waitlisted"]
        assert {row.application_id for row in waiting} == {entry[1] for entry in model.line}
        caps = {row.holder: row.granted for row in await self.scene.rows(tables.caps)}
        assert {holder: granted for holder, granted in caps.items() if granted} == {
            company: granted for company, granted in model.granted.items() if granted
        }
        payments = {row.claim_id: (row.amount, row.status) for row in await self.scene.rows(tables.payments)}
        assert payments == {claim: (amount, status) for claim, (_, amount, status) in model.payments.items()}


def pick_minute(approval: Any) -> int:
    """Return the minute at which an approval of this walk was submitted."""
    return int((approval.submitted_at - NOW).total_seconds() // 60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES)
async def test_books_equal_the_model_after_every_batch(database: Database, batches: list[list[Step]]) -> None:
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        scene = Scene(connection)
        await opened_pool(scene, POOL_FEN)
        await publish(scene, policy(version="small", cap=Money(CAP_FEN), envelope=Money(ENVELOPE_FEN)))
        walk = Walk(scene)
        for steps in batches:
            await walk.batch(steps)
        await transaction.rollback()
