"""What a payment, an account, an award or a demand waits for, and until when. Pure: the time is handed in.

``due_at`` is the deadline; ``next_step_at`` is when something follows, which is at the deadline and, where finance is
asked, again and again until it answers. Both stop in the transaction that moves the record on.
"""

from datetime import datetime, timedelta
from typing import Final

from contracts.policy import Clocks, Deadline, Policy
from disbursement.records import Account, Award, Clocked, Payment, Recovery

KINDS: Final = ("payment", "account", "release", "account_check", "recovery", "expiry_notice", "expiry", "line")


def kind_of(record: Clocked) -> str | None:
    """Return the clock of the policy that runs for a record, or None when it waits for nothing.

    A payment that waits for an account's verification has none of its own: the account's runs.
    """
    match record:
        case Payment(status="instructed"):
            return "payment"
        case Payment(status="returned") | Payment(status="held", hold="account_rejected"):
            return "account"
        case Payment(status="held", hold="release"):
            return "release"
        case Account(status="asked"):
            return "account_check"
        case Recovery(status="demanded"):
            return "recovery"
        case _:
            return None


def deadline_of(record: Clocked, clocks: Clocks) -> Deadline | None:
    """Return how long what a record waits for may last, or None when it waits for nothing."""
    kind = kind_of(record)
    return getattr(clocks, kind) if kind else None


def begin(record: Clocked, clocks: Clocks, now: datetime) -> None:
    """Start the clock of the record's status, which is new, and stop the one before."""
    deadline = deadline_of(record, clocks)
    record.due_at = record.next_step_at = now + deadline.within if deadline else None
    record.missed_at = None


def is_due(record: Clocked, now: datetime) -> bool:
    """Return whether something has to follow now."""
    return record.next_step_at is not None and record.next_step_at <= now


def miss(record: Clocked, deadline: Deadline, now: datetime) -> bool:
    """Mark a record as overdue; return whether finance is to be asked, which is a question once per such time."""
    record.missed_at = record.missed_at or now
    asks = deadline.then == "ask_finance"
    record.next_step_at = now + deadline.within if asks else None
    record.questions += asks
    return asks


def begin_award(award: Award, policy: Policy, now: datetime) -> None:
    """Set when an award's end is announced and when it expires; what was announced is not announced again."""
    award.expires_at = award.valid_until + timedelta(days=policy.expiry_grace_days)
    notice_at = award.valid_until - timedelta(days=policy.expiry_notice_days)
    announce = policy.expiry_notice_days > 0 and award.noticed_at is None and notice_at > now
    award.next_step_at = notice_at if announce else award.expires_at
