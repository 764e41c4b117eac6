"""The records of promises: approvals, the line for money, cap groups, support by contract, awards, claims."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from contracts.common import AwardKind, LimitedBy

ShortOf = Literal["envelope", "pool"]


class Application(msgspec.Struct, kw_only=True):
    """What became of an approval here. ``approval`` is kept whole while it may still be awarded."""

    application_id: UUID
    applicant: str
    scheme: str
    fiscal_year: int
    state: str
    submitted_at: datetime
    approval: dict[str, Any] | None = None


class Line(msgspec.Struct, kw_only=True):
    """Who waits for money of a scheme and year: how many, and what the first of them is short of.

    ``wake``: money may be there for them, and a later transaction has to look (``clocks``).
    """

    scheme: str
    fiscal_year: int
    pool: str
    waiting: int = 0
    short_of: ShortOf
    wake: bool = False


class Company(msgspec.Struct, kw_only=True):
    """With whom a company shares its cap, itself among them, as last heard."""

    uscc: str
    members: list[str]
    as_of: datetime


class Stack(msgspec.Struct, kw_only=True):
    """What the whole programme supports one contract with."""

    provider: str
    number: str
    granted: int = 0


class Award(msgspec.Struct, kw_only=True):
    """A promise. ``committed`` is its rest: awarded = committed + obligated + disbursed + released.

    ``recovered`` is the part of ``released`` that was paid and came back. ``next_step_at`` is when its end is
    announced, and then when it expires. ``corrected_to`` is what stands of the approval after a re-assessment;
    ``excess`` is what was claimed above that and is asked back once the bank has paid it (``corrections``).
    """

    award_id: UUID
    application_id: UUID
    applicant: str
    scheme: str
    fiscal_year: int
    pool: str | None
    district: str
    cap_holder: str
    policy_version: str
    kind: AwardKind
    voucher_code: str | None
    rate: int
    approved: int
    awarded: int
    committed: int
    obligated: int = 0
    disbursed: int = 0
    released: int = 0
    limited_by: LimitedBy
    status: str = "active"
    creditor: dict[str, Any]
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime
    contract_provider: str | None = None
    contract_number: str | None = None
    recovered: int = 0
    expires_at: datetime | None = None
    noticed_at: datetime | None = None
    next_step_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    corrected_to: int | None = None
    excess: int = 0

    @property
    def running(self) -> bool:
        """Return whether it can still be claimed on, or could if anything were left."""
        return self.status in ("active", "exhausted")


class Claim(msgspec.Struct, kw_only=True):
    """A verified claim and what is paid for it."""

    claim_id: UUID
    award_id: UUID
    application_id: UUID
    applicant: str
    eligible: int
    payable: int
    limited_by: str
    status: str
    verified_at: datetime
