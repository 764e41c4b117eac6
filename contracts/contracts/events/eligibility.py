"""What eligibility tells: policies by scheme, decisions by applicant."""

from typing import ClassVar, Literal

from contracts.common import Account, AwardKind, Contract, Instant, Reason, Stack, Text, Uscc
from contracts.events.base import ApplicationEvent, ClaimEvent, Event
from contracts.money import Money, Rate
from contracts.policy import Policy

# --- eligibility.policies -----------------------------------------------------------------------------------


class PolicyPublished(Event, frozen=True, kw_only=True):
    """A version of a scheme's policy document was published; it never changes again."""

    TYPE: ClassVar[str] = "policy.published"

    scheme: str
    policy_version: str
    policy: Policy


# --- eligibility.decisions ----------------------------------------------------------------------------------


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
    """The application meets the policy: up to ``approved`` is to be awarded, as far as the limits allow.

    ``cap_members`` are the companies that share the applicant's cap, itself among them, as known at ``occurred_at``.
    """

    TYPE: ClassVar[str] = "application.approved"

    pool: str | None
    district: str
    policy_version: str
    provisional: bool
    kind: AwardKind
    approved: Money
    rate: Rate
    cap_holder: str
    cap_members: tuple[Uscc, ...] = ()
    creditor: Account
    contract: Contract | None = None
    stack: Stack | None = None
    reasons: tuple[Reason, ...]
    submitted_at: Instant


class ApplicationReassessed(ApplicationApproved, frozen=True, kw_only=True):
    """An approval was looked at again. ``approved`` is what stands from now on, zero where it was ``rejected``.

    Only the difference to what was awarded is awarded, freed or asked back; the old decision is kept.
    """

    TYPE: ClassVar[str] = "application.reassessed"

    outcome: Literal["approved", "rejected"]
    because: Text


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
