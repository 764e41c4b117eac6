"""What the services show to the outside, as far as an outside party reads it. Unknown fields are ignored."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from contracts.events import Balances
from contracts.money import Money
from stack.simulators.words import Says

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of any list."""

    items: list[Item]
    next_cursor: str | int | None = None


class Problem(msgspec.Struct, frozen=True):
    """A refusal (RFC 9457)."""

    code: str = ""
    title: str = ""
    detail: str = ""


class Scheme(msgspec.Struct, frozen=True):
    """An item of intake's ``GET /v1/schemes``."""

    scheme: str
    open: bool = True
    version: str = ""


class ReasonView(msgspec.Struct, frozen=True):
    code: str
    outcome: str = ""


class DecisionView(msgspec.Struct, frozen=True):
    outcome: str
    approved: Money | None = None
    reasons: list[ReasonView] = []


class AwardInApplication(msgspec.Struct, frozen=True):
    award_id: UUID
    status: str
    awarded: Money
    claimed: Money
    paid: Money
    rest: Money
    limited_by: str | None = None


class PaymentInClaim(msgspec.Struct, frozen=True):
    payment_id: UUID
    status: str


class ClaimInApplication(msgspec.Struct, frozen=True):
    claim_id: UUID
    status: str
    payable: Money | None = None
    payment: PaymentInClaim | None = None
    reasons: list[ReasonView] = []


class AppealView(msgspec.Struct, frozen=True):
    upheld: bool | None = None


class ClarificationView(msgspec.Struct, frozen=True):
    answered_at: datetime | None = None


class ApplicationView(msgspec.Struct, frozen=True):
    """``GET /v1/applications/{id}`` of intake: the whole state."""

    application_id: UUID
    status: str
    scheme: str = ""
    version: int = 0
    number: str | None = None
    waiting_for: dict[str, Any] | None = None
    clarification: ClarificationView | None = None
    decision: DecisionView | None = None
    appeal: AppealView | None = None
    award: AwardInApplication | None = None
    claims: list[ClaimInApplication] = []


class Target(msgspec.Struct, frozen=True):
    """An item of metrics' ``GET /v1/targets``."""

    target: str
    value: int
    actual: int
    unit: str | None = None


class Task(msgspec.Struct, frozen=True):
    """An item of eligibility's ``GET /v1/tasks``."""

    task_id: UUID
    kind: str
    application_id: UUID
    claim_id: UUID | None
    scheme: str
    applicant: str


class Assessment(msgspec.Struct, frozen=True):
    """An item of eligibility's ``GET /v1/assessments``."""

    application_id: UUID
    status: str
    outcome: str | None = None


class Award(msgspec.Struct, frozen=True):
    """An item of disbursement's ``GET /v1/awards``."""

    award_id: UUID
    application_id: UUID
    pool: str | None
    status: str
    awarded: Money
    claimed: Money
    paid: Money
    rest: Money
    issued_at: datetime


class Payment(msgspec.Struct, frozen=True):
    """An item of disbursement's ``GET /v1/payments``."""

    payment_id: UUID
    claim_id: UUID
    application_id: UUID
    money: Money
    end_to_end_id: str
    status: Literal["held", "instructed", "settled", "returned", "cancelled"]
    attempt: int
    instructed_at: datetime
    settled_at: datetime | None = None
    returned_at: datetime | None = None
    hold: Literal["account", "account_rejected", "release"] | None = None
    verification_id: UUID | None = None


class Pool(msgspec.Struct, frozen=True):
    """An item of ``GET /v1/pools``, of disbursement and of metrics."""

    pool: str
    appropriated: Money
    available: Money
    committed: Money
    obligated: Money
    disbursed: Money
    version: int | None = None
    hash: str | None = None

    def balances(self) -> dict[str, int]:
        """Return the four amounts in fen, by state."""
        return {state: getattr(self, state).amount for state in Balances.__struct_fields__}


class Discrepancy(msgspec.Struct, frozen=True):
    """An item of disbursement's ``GET /v1/discrepancies``: a report that moved nothing, by its ``ce_id``."""

    event_id: UUID
    detail: str = ""


class BankReport(msgspec.Struct, frozen=True):
    """What finance said of an outcome, under its ``ce_id``."""

    event_id: UUID
    says: Says


class BankEntry(msgspec.Struct, frozen=True):
    """An item of the finance system's ``GET /v1/log``; ``amount`` in fen.

    ``repeated``: an earlier attempt was settled, nothing was paid on this one. ``times_reported`` counts true reports,
    ``unsaid`` those to come, true or not.
    """

    payment_id: UUID
    attempt: int
    end_to_end_id: str
    outcome: Literal["settled", "returned", "repeated"]
    amount: int
    times_reported: int
    reports: list[BankReport] = []
    unsaid: int = 0


class OfficersView(msgspec.Struct, frozen=True):
    """``GET /v1/officers`` of the finance system: what its officers did since its process started."""

    released: int = 0
    corrected: int = 0
    instructed: int = 0
    cancelled: int = 0
    refused: dict[str, int] = {}
    surprises: list[str] = []
