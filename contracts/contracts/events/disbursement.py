"""What disbursement tells of awards and claims, keyed by applicant (``disbursement.awards``)."""

from typing import ClassVar, Final, Literal

from contracts.common import AwardKind, Identifier, Instant, LimitedBy, Reason
from contracts.events.base import ApplicationEvent, ClaimEvent
from contracts.money import Money

NOTHING: Final = Money(0)

# --- awards -----------------------------------------------------------------------------------------------


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
    """Approved, but the envelope or the pool is short: served by the time of submission once money is freed.

    ``on_hold``: not for want of money, but because the pool's books are being reconciled.
    """

    TYPE: ClassVar[str] = "application.waitlisted"

    pool: str
    approved: Money
    short_of: LimitedBy
    on_hold: bool = False


class AwardRefused(ApplicationEvent, frozen=True, kw_only=True):
    """Approved, but nothing can be awarded: the cap is used up, or the application was withdrawn."""

    TYPE: ClassVar[str] = "award.refused"

    reasons: tuple[Reason, ...]


class AwardExpiryAnnounced(ApplicationEvent, frozen=True, kw_only=True):
    """The award's validity ends soon; what is not claimed until ``valid_until`` is given back."""

    TYPE: ClassVar[str] = "award.expiry_announced"

    award_id: Identifier
    rest: Money
    valid_until: Instant


class AwardChanged(ApplicationEvent, frozen=True, kw_only=True):
    """An award follows a correction of its approval: so much was ``added``, or ``released`` of what was not claimed.

    ``to_recover`` is what was claimed above ``approved``: it is demanded back as soon as the bank has paid it.
    """

    TYPE: ClassVar[str] = "award.changed"

    award_id: Identifier
    approved: Money
    added: Money
    released: Money
    rest: Money
    to_recover: Money
    limited_by: LimitedBy


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

    reason: str = ""


class AwardRecovered(ApplicationEvent, frozen=True, kw_only=True):
    """Money paid on this award came back, by a receipt or out of a later payment; ``outstanding`` is still owed."""

    TYPE: ClassVar[str] = "award.recovered"

    award_id: Identifier
    recovery_id: Identifier
    money: Money
    outstanding: Money
    by: Literal["receipt", "netting"]


# --- claims ---------------------------------------------------------------------------------------------


class ClaimPayable(ClaimEvent, frozen=True, kw_only=True):
    """The claim is paid. ``rest`` is what the award still holds after it.

    ``netted`` of ``payable`` is kept back for what the company owes. ``payment_status`` is ``held`` while the account
    is verified or the payment waits for its release, and ``settled`` where all of it was netted.
    """

    TYPE: ClassVar[str] = "claim.payable"

    payment_id: Identifier
    payable: Money
    limited_by: str
    rest: Money
    netted: Money = NOTHING
    payment_status: Literal["instructed", "held", "settled"] = "instructed"


class ClaimInstructed(ClaimEvent, frozen=True, kw_only=True):
    """A payment that was held, or that the bank had returned, was handed to finance; ``attempt`` counts from 1."""

    TYPE: ClassVar[str] = "claim.instructed"

    payment_id: Identifier
    attempt: int


class ClaimPaid(ClaimEvent, frozen=True, kw_only=True):
    """The claim's payment was settled; ``paid`` includes what was netted."""

    TYPE: ClassVar[str] = "claim.paid"

    payment_id: Identifier
    paid: Money
    settled_at: Instant


class ClaimRefused(ClaimEvent, frozen=True, kw_only=True):
    """The claim was verified, but the award has nothing left to pay it from."""

    TYPE: ClassVar[str] = "claim.refused"

    reasons: tuple[Reason, ...]


class ClaimUnpaid(ClaimEvent, frozen=True, kw_only=True):
    """The bank returned this claim's payment, or finance rejected its account. The money stays obligated meanwhile."""

    TYPE: ClassVar[str] = "claim.unpaid"

    payment_id: Identifier
    reason_code: str


class ClaimCancelled(ClaimEvent, frozen=True, kw_only=True):
    """The claim's payment was given up: its money is committed to the award again, which now holds ``rest``."""

    TYPE: ClassVar[str] = "claim.cancelled"

    payment_id: Identifier
    money: Money
    rest: Money
    reasons: tuple[Reason, ...]
