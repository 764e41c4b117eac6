"""What the bank does with a payment: settled or returned, and whether its report comes twice.

Pure: the outcome follows from the seed and the payment's attempt, so that a run can be repeated.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from contracts.events import PaymentInstructed, PaymentReturned, PaymentSettled
from contracts.money import Money

# ISO 20022 external status reasons: wrong, closed and blocked account, wrong bank, reason not given.
RETURN_REASONS: Final = ("AC01", "AC04", "AC06", "RC01", "MS03")

Duplicate = Literal["none", "same_event", "new_event"]
Attempt = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class Proportions:
    """How much goes wrong, as shares of all payments: money sent back, reports that come twice or get lost."""

    returned: float = 0.03
    duplicates: float = 0.05
    lost: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="decided", tag_field="entry"):
    """The bank's word on one attempt of a payment, given once. ``amount`` in fen.

    A ``lost`` one is reported only when the programme asks.
    """

    payment_id: UUID
    attempt: int
    end_to_end_id: str
    amount: int
    outcome: Literal["settled", "returned"]
    reason_code: str | None
    bank_reference: str
    decided_at: datetime
    event_id: UUID
    duplicate: Duplicate
    lost: bool = False

    @property
    def key(self) -> Attempt:
        return self.payment_id, self.attempt

    def report(self) -> PaymentSettled | PaymentReturned:
        """Return the event that tells the programme."""
        if self.outcome == "settled":
            return PaymentSettled(
                occurred_at=self.decided_at,
                payment_id=self.payment_id,
                end_to_end_id=self.end_to_end_id,
                money=Money(self.amount),
                bank_reference=self.bank_reference,
                settled_at=self.decided_at,
            )
        return PaymentReturned(
            occurred_at=self.decided_at,
            payment_id=self.payment_id,
            end_to_end_id=self.end_to_end_id,
            money=Money(self.amount),
            bank_reference=self.bank_reference,
            reason_code=self.reason_code or RETURN_REASONS[-1],
            returned_at=self.decided_at,
        )


def decide(seed: int, payment: PaymentInstructed, proportions: Proportions, now: datetime, event_id: UUID) -> Outcome:
    """Return what the bank does with this attempt; ``event_id`` becomes its report's ``ce_id``."""
    returned = _share(seed, payment, "outcome") < proportions.returned
    reason = RETURN_REASONS[int(_share(seed, payment, "reason") * len(RETURN_REASONS))]
    return Outcome(
        payment_id=payment.payment_id,
        attempt=payment.attempt,
        end_to_end_id=payment.end_to_end_id,
        amount=payment.money.amount,
        outcome="returned" if returned else "settled",
        reason_code=reason if returned else None,
        bank_reference=f"B{_digest(seed, payment, 'reference').hex()[:20].upper()}",
        decided_at=now,
        event_id=event_id,
        duplicate=_duplicate(seed, payment, proportions),
        lost=_share(seed, payment, "lost") < proportions.lost,
    )


def _duplicate(seed: int, payment: PaymentInstructed, proportions: Proportions) -> Duplicate:
    if _share(seed, payment, "duplicate") >= proportions.duplicates:
        return "none"
    return "same_event" if _share(seed, payment, "event id") < 0.5 else "new_event"


def _share(seed: int, payment: PaymentInstructed, what: str) -> float:
    """Return a number in [0, 1) that is the same whenever the same is asked."""
    return int.from_bytes(_digest(seed, payment, what)[:6]) / 2**48


def _digest(seed: int, payment: PaymentInstructed, what: str) -> bytes:
    return hashlib.sha256(f"{seed} {payment.payment_id} {payment.attempt} {what}".encode()).digest()
