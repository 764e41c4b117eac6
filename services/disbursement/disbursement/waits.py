"""What a payment waits for, and until when. Pure: the time is handed in.

``due_at`` is the deadline; ``next_step_at`` is when something follows, which is at the deadline and, where finance is
asked, again and again until it answers. Both stop in the transaction that moves the payment on.
"""

from datetime import datetime
from typing import Final

from contracts.policy import Clocks, Deadline
from disbursement.records import Payment

KINDS: Final = {"instructed": "payment", "returned": "account"}


def kind_of(payment: Payment) -> str | None:
    """Return the clock of the policy that runs for a payment, or None when it waits for nothing."""
    return KINDS.get(payment.status)


def deadline_of(payment: Payment, clocks: Clocks) -> Deadline | None:
    """Return how long what a payment waits for may last, or None when it waits for nothing."""
    match kind_of(payment):
        case "payment":
            return clocks.payment
        case "account":
            return clocks.account
        case _:
            return None


def begin(payment: Payment, clocks: Clocks, now: datetime) -> None:
    """Start the clock of the payment's status, which is new, and stop the one before."""
    deadline = deadline_of(payment, clocks)
    payment.due_at = payment.next_step_at = now + deadline.within if deadline else None
    payment.missed_at = None


def is_due(payment: Payment, now: datetime) -> bool:
    """Return whether something has to follow now."""
    return payment.next_step_at is not None and payment.next_step_at <= now


def miss(payment: Payment, deadline: Deadline, now: datetime) -> bool:
    """Mark a payment as overdue; return whether finance is to be asked, which is a question once per such time."""
    payment.missed_at = payment.missed_at or now
    asks = deadline.then == "ask_finance"
    payment.next_step_at = now + deadline.within if asks else None
    payment.questions += asks
    return asks
