"""Every event, by the topic that carries it. Fields may be added, never renamed or given another meaning.

An event says what happened, in the past tense. ``Event.TYPE`` is the name without the ``drawdown.`` before it
and the ``.v1`` behind it.
"""

from typing import Any, ClassVar

import msgspec

from contracts.common import (
    Account,
    AwardKind,
    BalanceState,
    Company,
    Contract,
    DocumentReference,
    Identifier,
    Instant,
    Invoice,
    LimitedBy,
    Reason,
    Request,
    Text,
    Usage,
    Uscc,
)
from contracts.money import Fen, Money, Rate
from contracts.policy import Policy


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events share: when the fact became true, by the writer's clock."""

    TYPE: ClassVar[str] = ""

    occurred_at: Instant


class ApplicationEvent(Event, frozen=True, kw_only=True):
    """A fact about one application of one company."""

    application_id: Identifier
    scheme: str
    applicant: Uscc


class ClaimEvent(ApplicationEvent, frozen=True, kw_only=True):
    """A fact about one claim against an award."""

    claim_id: Identifier
    award_id: Identifier


# --- intake.applications ---------------------------------------------------------------------------------


class ApplicationSubmitted(ApplicationEvent, frozen=True, kw_only=True):
    """An application was handed in; ``submitted_at`` is its place in every queue."""

    TYPE: ClassVar[str] = "application.submitted"

    number: str
    district: str
    policy_version: str
    company: Company
    request: Request
    documents: tuple[DocumentReference, ...] = ()
    submitted_at: Instant


class ApplicationWithdrawn(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant took the application back; an award that was issued on it is revoked."""

    TYPE: ClassVar[str] = "application.withdrawn"

    reason: str = ""


class ApplicationLapsed(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant did not answer in time."""

    TYPE: ClassVar[str] = "application.lapsed"


class ClarificationAnswered(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant answered what was asked."""

    TYPE: ClassVar[str] = "clarification.answered"

    answer: str
    documents: tuple[DocumentReference, ...] = ()


class AppealLodged(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant asks for a rejection to be looked at again, which is possible once."""

    TYPE: ClassVar[str] = "appeal.lodged"

    grounds: str
    documents: tuple[DocumentReference, ...] = ()


class ClaimSubmitted(ClaimEvent, frozen=True, kw_only=True):
    """The applicant claims against an award, with invoices and what proves their use."""

    TYPE: ClassVar[str] = "claim.submitted"

    district: str
    invoices: tuple[Invoice, ...]
    usage: Usage | None = None
    milestone: str | None = None
    documents: tuple[DocumentReference, ...] = ()
    details: dict[str, Any] = {}
    submitted_at: Instant


class ClaimWithdrawn(ClaimEvent, frozen=True, kw_only=True):
    """The applicant took a claim back before it was payable."""

    TYPE: ClassVar[str] = "claim.withdrawn"


# --- eligibility.policies --------------------------------------------------------------------------------


class PolicyPublished(Event, frozen=True, kw_only=True):
    """A version of a scheme's policy document was published; it never changes again."""

    TYPE: ClassVar[str] = "policy.published"

    scheme: str
    policy_version: str
    policy: Policy


# --- eligibility.decisions -------------------------------------------------------------------------------


class ClarificationRequested(ApplicationEvent, frozen=True, kw_only=True):
    """The applicant is asked something; the clock of the service level stands still meanwhile."""

    TYPE: ClassVar[str] = "clarification.requested"

    question: Text


class ReviewOpened(ApplicationEvent, frozen=True, kw_only=True):
    """The application waits for something that is not the applicant's: a register or an officer."""

    TYPE: ClassVar[str] = "review.opened"

    waiting_for: Text
    holder: str = "officer"


class ApplicationApproved(ApplicationEvent, frozen=True, kw_only=True):
    """The application meets the policy: up to ``approved`` is to be awarded, as far as the limits allow."""

    TYPE: ClassVar[str] = "application.approved"

    pool: str | None
    district: str
    policy_version: str
    provisional: bool
    kind: AwardKind
    approved: Money
    rate: Rate
    cap_holder: str
    creditor: Account
    contract: Contract | None = None
    reasons: tuple[Reason, ...]
    submitted_at: Instant


class ApplicationRejected(ApplicationEvent, frozen=True, kw_only=True):
    """The application does not meet the policy; the reasons name each criterion, its clause and outcome."""

    TYPE: ClassVar[str] = "application.rejected"

    district: str
    policy_version: str
    provisional: bool
    reasons: tuple[Reason, ...]
    submitted_at: Instant


class AppealDecided(ApplicationEvent, frozen=True, kw_only=True):
    """A rejection was looked at again. When the appeal is ``upheld``, an approval follows."""

    TYPE: ClassVar[str] = "appeal.decided"

    upheld: bool
    reasons: tuple[Reason, ...]


class ClaimVerified(ClaimEvent, frozen=True, kw_only=True):
    """``eligible`` is the verified expense, before the rate is applied."""

    TYPE: ClassVar[str] = "claim.verified"

    eligible: Money
    reasons: tuple[Reason, ...]
    submitted_at: Instant


class ClaimRejected(ClaimEvent, frozen=True, kw_only=True):
    """Nothing of the claim can be paid; the reasons say why."""

    TYPE: ClassVar[str] = "claim.rejected"

    reasons: tuple[Reason, ...]


# --- disbursement.awards ---------------------------------------------------------------------------------


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


# --- disbursement.payments -------------------------------------------------------------------------------


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


# --- finance.payment-status ------------------------------------------------------------------------------


class FinanceReport(Event, frozen=True, kw_only=True):
    """What the finance system reports. ``occurred_at`` may be missing: each report has a time of its own."""

    occurred_at: Instant | None = None  # type: ignore[assignment]  # finance owns this topic; we ask for less


class PaymentReport(FinanceReport, frozen=True, kw_only=True):
    """What the bank did about a payment."""

    payment_id: Identifier
    end_to_end_id: str
    money: Money
    bank_reference: str


class PaymentSettled(PaymentReport, frozen=True, kw_only=True):
    """The bank paid."""

    TYPE: ClassVar[str] = "payment.settled"

    settled_at: Instant


class PaymentReturned(PaymentReport, frozen=True, kw_only=True):
    """The bank could not pay; ``reason_code`` is an ISO 20022 external status reason, e.g. AC04."""

    TYPE: ClassVar[str] = "payment.returned"

    reason_code: str
    returned_at: Instant


class RecoveryReceived(FinanceReport, frozen=True, kw_only=True):
    """Money that was asked back has arrived."""

    TYPE: ClassVar[str] = "recovery.received"

    recovery_id: Identifier
    money: Money
    bank_reference: str
    received_at: Instant


# --- disbursement.ledger ---------------------------------------------------------------------------------


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
