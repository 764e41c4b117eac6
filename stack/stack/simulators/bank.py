"""What the bank does with a payment, what it knows of an account, when a debtor pays back.

Pure: it follows from the seed and the thing itself, so that a run can be repeated. Only the reports' ids are new.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

import msgspec
from uuid_utils.compat import uuid7

from contracts.common import Account
from contracts.events import AccountVerificationRequested, PaymentInstructed, RecoveryDemanded
from stack.simulators.cases import ACCOUNT_REASONS, NO_REASON, AccountCheck, Outcome, Receipt
from stack.simulators.words import Manner, Says

RETURN_REASONS: Final = (*ACCOUNT_REASONS, NO_REASON)
MOST_RECEIPTS: Final = 3

Fate = tuple[Literal["settled", "returned", "repeated"], str | None]
_DIFFERING: Final[tuple[Says, ...]] = ("other_amount", "other_name", "unknown_payment")
# What can be said wrongly of an outcome (words.py says when). The bank doubts what it has confirmed before no more.
_WRONG: Final[dict[str, tuple[Says, ...]]] = {
    "settled": ("returned", *_DIFFERING),
    "returned": ("settled", *_DIFFERING),
    "repeated": _DIFFERING,
}


@dataclass(frozen=True, slots=True)
class Proportions:
    """How much goes wrong: as shares of payments, of payments that are sent again, of accounts that are asked about."""

    returned: float = 0.03
    returned_again: float = 0.1
    rejected: float = 0.02


@dataclass(frozen=True, slots=True)
class Draws:
    """Chance about one thing, by the seed and the thing's name."""

    seed: int
    name: str

    def __call__(self, what: str) -> float:
        """Return a number in [0, 1) that is the same whenever the same is asked."""
        return int.from_bytes(self.digest(what)[:6]) / 2**48

    def digest(self, what: str) -> bytes:
        return hashlib.sha256(f"{self.seed} {self.name} {what}".encode()).digest()

    def reference(self) -> str:
        """Return what the bank calls it."""
        return f"B{self.digest('reference').hex()[:20].upper()}"


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank by its seed, and the manner in which finance reports on it."""

    seed: int
    proportions: Proportions = field(default_factory=Proportions)
    manner: Manner = field(default_factory=Manner)

    def pay(self, payment: PaymentInstructed, before: Sequence[Outcome], now: datetime) -> Outcome:
        """Return what becomes of this attempt after those ``before`` it. What was settled is not paid again."""
        draw, event_id = Draws(self.seed, f"{payment.payment_id} {payment.attempt}"), uuid7()
        settled = next((attempt for attempt in before if attempt.outcome == "settled"), None)
        outcome, reason_code = ("repeated", None) if settled else self._fate(draw, payment, before)
        return Outcome(
            payment_id=payment.payment_id,
            attempt=payment.attempt,
            end_to_end_id=payment.end_to_end_id,
            amount=payment.money.amount,
            outcome=outcome,
            reason_code=reason_code,
            bank_reference=settled.bank_reference if settled else draw.reference(),
            creditor=payment.creditor,
            decided_at=now,
            event_id=event_id,
            words=self.manner.plan(draw, event_id, _WRONG[outcome]),
        )

    def check(self, asked: AccountVerificationRequested, now: datetime) -> AccountCheck:
        """Return whether this account is the company's."""
        draw, event_id = Draws(self.seed, str(asked.verification_id)), uuid7()
        return AccountCheck(
            verification_id=asked.verification_id,
            creditor=asked.creditor,
            reason_code=None if self.accepts(asked.creditor) else _pick(ACCOUNT_REASONS, draw("reason")),
            decided_at=now,
            event_id=event_id,
            words=self.manner.plan(draw, event_id),
        )

    def receive(self, demand: RecoveryDemanded, now: datetime) -> list[Receipt]:
        """Return how the debtor pays: all of it, in one to three parts. Nobody asks for them, so none gets lost."""
        draw = Draws(self.seed, str(demand.recovery_id))
        most = min(MOST_RECEIPTS, demand.money.amount)
        parts = _parts(demand.money.amount, 1 + int(draw("receipts") * most))
        return [self._receipt(demand, number, amount, now) for number, amount in enumerate(parts, start=1)]

    def accepts(self, account: Account) -> bool:
        """Whether the bank knows this account as its holder's."""
        return Draws(self.seed, f"{account.account} {account.bank_code}")("account") >= self.proportions.rejected

    def another(self, account: Account) -> Account:
        """Return the account that a company names when this one is wrong: another number, which the bank knows."""
        numbers = (f"{account.account[:-3]}{number:03}" for number in range(1000))
        others = (msgspec.structs.replace(account, account=number) for number in numbers if number != account.account)
        return next(other for other in others if self.accepts(other))

    def _fate(self, draw: Draws, payment: PaymentInstructed, before: Sequence[Outcome]) -> Fate:
        """The same account that was wrong before is wrong again."""
        last = before[-1] if before else None
        if last and last.reason_code in ACCOUNT_REASONS and last.creditor == payment.creditor:
            return "returned", last.reason_code
        returned = self.proportions.returned_again if last else self.proportions.returned
        return ("returned", _pick(RETURN_REASONS, draw("reason"))) if draw("outcome") < returned else ("settled", None)

    def _receipt(self, demand: RecoveryDemanded, number: int, amount: int, now: datetime) -> Receipt:
        draw, event_id = Draws(self.seed, f"{demand.recovery_id} {number}"), uuid7()
        return Receipt(
            recovery_id=demand.recovery_id,
            number=number,
            amount=amount,
            bank_reference=draw.reference(),
            decided_at=now,
            event_id=event_id,
            words=replace(self.manner, lost=0.0).plan(draw, event_id),
        )


def _pick(reasons: Sequence[str], share: float) -> str:
    return reasons[int(share * len(reasons))]


def _parts(amount: int, count: int) -> list[int]:
    """Return ``count`` amounts that make ``amount``: equal ones, and the rest with the last."""
    each = amount // count
    return [each] * (count - 1) + [amount - each * (count - 1)]
