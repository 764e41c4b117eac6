"""Ordinary life at random: whatever finance, companies and the bank do, in batches as they come."""

from random import Random
from typing import Any

from contracts.events import (
    AwardIssued,
    Event,
    PaymentInstructed,
    RecoveryDemanded,
)
from contracts.money import Money
from contracts.refusal import Refusal
from disbursement.orders import (
    AnySubject,
    CancelPayment,
    CloseAward,
    DemandRecovery,
    InstructPayment,
    RevokeAward,
    SetAppropriation,
    SetEnvelope,
)
from tests.disbursement.books import COMPANIES, Books
from tests.disbursement.scenes import (
    ENVELOPE_FEN,
    POOL,
    POOL_FEN,
    SCHEME,
    YUAN,
    approved,
    received,
    returned,
    settled,
    verified,
    withdrawn,
)

_DEEDS = ("approve", "approve", "claim", "claim", "settle", "settle", "return", "take", "pay")


class Life:
    """Each ``day`` is one batch of events, or one order of two persons."""

    def __init__(self, books: Books, seed: int) -> None:
        self._books = books
        self._random = Random(seed)
        self._approvals: list[Any] = []
        self._seen: dict[type[Event], list[Any]] = {}
        self._days = 0

    async def day(self) -> None:
        self._days += 1
        if self._random.random() < 0.2 and self._seen:
            await self._order()
        else:
            await self._batch()

    async def _batch(self) -> None:
        events = [event for _ in range(self._random.randint(1, 8)) if (event := self._event()) is not None]
        if events:
            self._note(await self._books.tell(*events))

    def _note(self, said: list[Event]) -> None:
        for event in said:
            self._seen.setdefault(type(event), []).append(event)

    def _one(self, kind: type[Event]) -> Any:
        return self._random.choice(self._seen[kind]) if self._seen.get(kind) else None

    def _event(self) -> Event | None:
        award, payment, demand = (self._one(kind) for kind in (AwardIssued, PaymentInstructed, RecoveryDemanded))
        match self._random.choice(
            ["approve", "approve", "claim", "claim", "settle", "settle", "return", "take", "pay"]
        ):
            case "approve":
                company = self._random.choice(COMPANIES)
                self._approvals.append(approved(self._random.randint(1, 60_000) * YUAN, applicant=company))
                return self._approvals[-1]  # type: ignore[no-any-return]
            case "claim" if award:
                return verified(award, self._random.randint(1, 20_000) * YUAN)
            case "settle" if payment:
                return settled(payment, bank_reference=f"S{self._days}")
            case "return" if payment:
                return returned(payment, bank_reference=f"R{self._days}")
            case "take" if self._approvals:
                return withdrawn(self._random.choice(self._approvals))
            case "pay" if demand:
                return received(demand, self._random.randint(1, 500) * YUAN, reference=f"B{self._days}")
        return None

    async def _order(self) -> None:
        try:
            self._note(await self._books.order(self._subject()))
        except Refusal:
            return  # what can't be done in this state; nothing has changed

    def _subject(self) -> AnySubject:
        award = self._one(AwardIssued) or self._books.awards[0]
        payment = self._one(PaymentInstructed) or self._books.instructed[0]
        amount = Money(self._random.randint(1, 900) * YUAN)
        more = Money(POOL_FEN + amount.amount)
        orders: list[AnySubject] = [
            SetAppropriation(pool=POOL, money=more),
            SetEnvelope(scheme=SCHEME, fiscal_year=2026, money=Money(ENVELOPE_FEN + amount.amount)),
            RevokeAward(award_id=award.award_id),
            CloseAward(award_id=award.award_id),
            DemandRecovery(award_id=award.award_id, money=amount),
            InstructPayment(payment_id=payment.payment_id),
            CancelPayment(payment_id=payment.payment_id),
        ]
        return self._random.choice(orders)
