"""What finance reports on: what became of a payment, what is known of an account, what a debtor paid back.

Each happened once and is never changed; each knows the event that tells of it.
"""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from contracts.common import Account
from contracts.events import (
    AccountRejected,
    AccountVerified,
    PaymentReport,
    PaymentReturned,
    PaymentSettled,
    RecoveryReceived,
)
from contracts.money import Money
from stack.simulators.words import Word

# ISO 20022 external status reasons: wrong, closed and blocked account, wrong bank. Another account cures them.
ACCOUNT_REASONS: Final = ("AC01", "AC04", "AC06", "RC01")
NO_REASON: Final = "MS03"

Key = tuple[UUID, int]
"""A payment and its attempt, a verification and 0, a recovery and the receipt's number."""


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry"):
    """Something that happened, and the reports that are to follow. ``event_id`` is the true report's ``ce_id``."""

    decided_at: datetime
    event_id: UUID
    words: tuple[Word, ...] = ()

    def truth(self) -> Word:
        """Return the true report, as it is given to whoever asks."""
        return Word(self.event_id)


class Outcome(Decided, frozen=True, kw_only=True, tag="decided"):
    """The bank's word on one attempt of a payment, given once. ``amount`` in fen.

    ``repeated``: an earlier attempt was settled. Nothing is paid, the settlement is reported once more.
    """

    payment_id: UUID
    attempt: int
    end_to_end_id: str
    amount: int
    outcome: Literal["settled", "returned", "repeated"]
    reason_code: str | None
    bank_reference: str
    creditor: Account | None = None

    @property
    def key(self) -> Key:
        return self.payment_id, self.attempt

    def report(self, word: Word) -> PaymentReport:
        """Return the event that says this word of the outcome."""
        said = self._facts() | self._error(word)
        if word.says == "settled" or (self.outcome != "returned" and word.says != "returned"):
            return PaymentSettled(**said, settled_at=self.decided_at)
        return PaymentReturned(**said, reason_code=self.reason_code or NO_REASON, returned_at=self.decided_at)

    def _facts(self) -> dict[str, Any]:
        return {
            "occurred_at": self.decided_at,
            "payment_id": self.payment_id,
            "end_to_end_id": self.end_to_end_id,
            "money": Money(self.amount),
            "bank_reference": self.bank_reference,
            "attempt": self.attempt,
        }

    def _error(self, word: Word) -> dict[str, Any]:
        match word.says:
            case "other_amount":
                return {"money": Money(self.amount + 1)}
            case "other_name":
                return {"end_to_end_id": f"X{self.end_to_end_id[1:]}"}
            case "unknown_payment":
                return {"payment_id": word.event_id}
            case _:
                return {}


class AccountCheck(Decided, frozen=True, kw_only=True, tag="checked"):
    """What the bank knows of an account. Without a ``reason_code`` it is the company's."""

    verification_id: UUID
    creditor: Account
    reason_code: str | None

    @property
    def key(self) -> Key:
        return self.verification_id, 0

    def report(self, _: Word) -> AccountVerified | AccountRejected:
        """Return the event that answers."""
        about: dict[str, Any] = {"occurred_at": self.decided_at, "verification_id": self.verification_id}
        if self.reason_code is None:
            return AccountVerified(**about)
        return AccountRejected(**about, reason_code=self.reason_code)


class Receipt(Decided, frozen=True, kw_only=True, tag="receipt"):
    """A part of what was demanded, as it arrives. ``amount`` in fen."""

    recovery_id: UUID
    number: int
    amount: int
    bank_reference: str

    @property
    def key(self) -> Key:
        return self.recovery_id, self.number

    def report(self, _: Word) -> RecoveryReceived:
        """Return the event that tells of it."""
        return RecoveryReceived(
            occurred_at=self.decided_at,
            recovery_id=self.recovery_id,
            money=Money(self.amount),
            bank_reference=self.bank_reference,
            received_at=self.decided_at,
        )


Case = Outcome | AccountCheck | Receipt
