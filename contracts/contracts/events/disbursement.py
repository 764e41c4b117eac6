"""What disbursement tells: awards and payments by applicant, and each transfer by pool."""

from typing import ClassVar

import msgspec

from contracts.common import Account, AwardKind, BalanceState, Identifier, Instant, LimitedBy, Reason
from contracts.events.base import ApplicationEvent, ClaimEvent, Event
from contracts.money import Fen, Money

# --- disbursement.awards ------------------------------------------------------------------------------------


class AwardIssued(ApplicationEvent, frozen=True, kw_only=True):
    """Money was committed to the applicant; ``limited_by`` names the limit that bit."""

    TYPE: ClassVar[str] = "award.issued"

    award_id: Identifier
    pool: str | None
    district: str
    policy_version: str
    kind: AwardKind
    voucher_code: str | None
    approved: Money
    awarded: Money
    limited_by: LimitedBy
    valid_from: Instant
    valid_until: Instant


class ApplicationWaitlisted(ApplicationEvent, frozen=True, kw_only=True):
    """Approved, but the envelope or the pool is short: served by the time of submission once money is freed."""

    TYPE: ClassVar[str] = "application.waitlisted"

    pool: str
    approved: Money
    short_of: LimitedBy


class AwardRefused(ApplicationEvent, frozen=True, kw_only=True):
    """Approved, but nothing can be awarded: the cap is used up, or the application was withdrawn."""

    TYPE: ClassVar[str] = "award.refused"

    reasons: tuple[Reason, ...]


class AwardEnded(ApplicationEvent, frozen=True, kw_only=True):
    """An award came to its end; ``released`` went back to what is available."""

    award_id: Identifier
    released: Money


class AwardExpired(AwardEnded, frozen=True, kw_only=True):
    """The award's validity ended; its rest was not claimed."""

    TYPE: ClassVar[str] = "award.expired"


class AwardRevoked(AwardEnded, frozen=True, kw_only=True):
    """The award was taken back."""

    TYPE: ClassVar[str] = "award.revoked"

    reason: str = ""


class AwardClosed(AwardEnded, frozen=True, kw_only=True):
    """The award is done with: all of it was claimed, or the rest was given up."""

    TYPE: ClassVar[str] = "award.closed"


class ClaimPayable(ClaimEvent, frozen=True, kw_only=True):
    """A payment was instructed for this claim. ``rest`` is what the award still holds after it."""

    TYPE: ClassVar[str] = "claim.payable"

    payment_id: Identifier
    payable: Money
    limited_by: str
    rest: Money


class ClaimPaid(ClaimEvent, frozen=True, kw_only=True):
    """The bank settled the claim's payment."""

    TYPE: ClassVar[str] = "claim.paid"

    payment_id: Identifier
    paid: Money
    settled_at: Instant


class ClaimRefused(ClaimEvent, frozen=True, kw_only=True):
    """The claim was verified, but the award has nothing left to pay it from."""

    TYPE: ClassVar[str] = "claim.refused"

    reasons: tuple[Reason, ...]


class ClaimUnpaid(ClaimEvent, frozen=True, kw_only=True):
    """The bank returned this claim's payment; the money stays obligated until finance acts."""

    TYPE: ClassVar[str] = "claim.unpaid"

    payment_id: Identifier
    reason_code: str


# --- disbursement.payments ----------------------------------------------------------------------------------


class PaymentInstructed(ApplicationEvent, frozen=True, kw_only=True):
    """Finance is to pay this, once: ``end_to_end_id`` is the same on every retry, ``attempt`` counts them."""

    TYPE: ClassVar[str] = "payment.instructed"

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    pool: str
    creditor: Account
    money: Money
    end_to_end_id: str
    purpose: str
    instructed_at: Instant
    attempt: int = 1


class PaymentCancelled(ApplicationEvent, frozen=True, kw_only=True):
    """A returned payment will not be tried again; its money is committed to the award again."""

    TYPE: ClassVar[str] = "payment.cancelled"

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    money: Money
    end_to_end_id: str
    reason: str


class PaymentStatusRequested(ApplicationEvent, frozen=True, kw_only=True):
    """Finance is asked what became of a payment that it has not reported on; ``question`` counts from 1.

    Never an instruction: it carries no account. The answer is a report on ``finance.payment-status``, the same one
    again where it was sent before.
    """

    TYPE: ClassVar[str] = "payment.status_requested"

    payment_id: Identifier
    award_id: Identifier
    claim_id: Identifier
    money: Money
    end_to_end_id: str
    instructed_at: Instant
    attempt: int
    question: int


class RecoveryDemanded(ApplicationEvent, frozen=True, kw_only=True):
    """Money that was disbursed is asked back."""

    TYPE: ClassVar[str] = "recovery.demanded"

    recovery_id: Identifier
    award_id: Identifier
    money: Money
    reason: str


# --- disbursement.ledger ------------------------------------------------------------------------------------


class Balances(msgspec.Struct, frozen=True):
    """A pool's four amounts, in fen, after a transfer."""

    available: Fen
    committed: Fen
    obligated: Fen
    disbursed: Fen


class TransferPosted(Event, frozen=True, kw_only=True):
    """One move of money between two states of one pool; ``version`` counts a pool's moves without a gap."""

    TYPE: ClassVar[str] = "transfer.posted"

    transfer_id: Identifier
    pool: str
    version: int
    previous_hash: str
    hash: str
    scheme: str | None
    district: str | None
    source: str = msgspec.field(name="from")
    to: BalanceState
    money: Money
    reason: str
    application_id: Identifier | None = None
    award_id: Identifier | None = None
    claim_id: Identifier | None = None
    payment_id: Identifier | None = None
    balances: Balances
    posted_at: Instant
