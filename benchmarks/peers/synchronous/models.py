"""The monolith's tables, as SQLAlchemy's manual has them: one database for all of it. Amounts are whole fen.

Foreign keys are those that queries join by: each more would be another look-up per row.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Sequence,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

STATES: Final = ("available", "committed", "obligated", "disbursed")
_BALANCED: Final = "appropriated = available + committed + obligated + disbursed"
_NOT_NEGATIVE: Final = " AND ".join(f"{state} >= 0" for state in STATES)


class Base(DeclarativeBase):
    """What all tables share: how Python's types are kept."""

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own form
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        datetime: DateTime(timezone=True),
        int: BigInteger,
        str: Text,
        UUID: Uuid,
    }


NUMBERS: Final = Sequence("application_numbers", metadata=Base.metadata)


# --- money --------------------------------------------------------------------------------------------------------


class Pool(Base):
    """A pool. Its row is locked by whoever moves its money, or anything that hangs on it."""

    __tablename__ = "pools"
    __table_args__ = (CheckConstraint(_BALANCED), CheckConstraint(_NOT_NEGATIVE))

    pool: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=0)
    appropriated: Mapped[int]
    available: Mapped[int]
    committed: Mapped[int] = mapped_column(default=0)
    obligated: Mapped[int] = mapped_column(default=0)
    disbursed: Mapped[int] = mapped_column(default=0)


class Envelope(Base):
    """What a scheme may commit in a fiscal year. Locked by its pool's row."""

    __tablename__ = "envelopes"
    __table_args__ = (CheckConstraint(_BALANCED), CheckConstraint(_NOT_NEGATIVE))

    scheme: Mapped[str] = mapped_column(primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    appropriated: Mapped[int]
    available: Mapped[int]
    committed: Mapped[int] = mapped_column(default=0)
    obligated: Mapped[int] = mapped_column(default=0)
    disbursed: Mapped[int] = mapped_column(default=0)


class Transfer(Base):
    """A move of money; ``command`` is its cause, which moves money once."""

    __tablename__ = "transfers"

    transfer_id: Mapped[UUID] = mapped_column(primary_key=True)
    command: Mapped[str] = mapped_column(unique=True)
    pool: Mapped[str]
    version: Mapped[int]
    source: Mapped[str]
    target: Mapped[str]
    amount: Mapped[int]
    scheme: Mapped[str]
    district: Mapped[str]
    award_id: Mapped[UUID]
    claim_id: Mapped[UUID | None]
    payment_id: Mapped[UUID | None]
    posted_at: Mapped[datetime]


class Cap(Base):
    """What a company was granted under a scheme in a fiscal year."""

    __tablename__ = "caps"

    scheme: Mapped[str] = mapped_column(primary_key=True)
    fiscal_year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(primary_key=True)
    granted: Mapped[int] = mapped_column(default=0)


class Contract(Base):
    """A signed contract, which counts once in a scheme: for the application that was approved on it."""

    __tablename__ = "contracts"

    scheme: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[UUID]


# --- applications ---------------------------------------------------------------------------------------------------


class Application(Base):
    """An application with its decision, award and claims."""

    __tablename__ = "applications"
    __table_args__ = (
        Index("applications_of_client", "client", "application_id"),
        Index("applications_of_applicant", "applicant", "application_id"),
        Index("applications_waiting", "scheme", "submitted_at", postgresql_where="status = 'waitlisted'"),
        Index("applications_assessing", "next_try_at", postgresql_where="status = 'assessing'"),
    )

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    scheme: Mapped[str]
    applicant: Mapped[str]
    district: Mapped[str]
    client: Mapped[str]
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    policy_version: Mapped[str]
    provisional: Mapped[bool]
    body: Mapped[dict[str, Any]]
    facts: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    decision: Mapped[dict[str, Any] | None]
    approved: Mapped[int | None]
    rate: Mapped[int | None]
    fiscal_year: Mapped[int | None]
    happenings: Mapped[int] = mapped_column(default=0)
    waits_for: Mapped[str | None]
    waits_since: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    award: Mapped["Award | None"] = relationship(back_populates="application", lazy="raise")
    claims: Mapped[list["Claim"]] = relationship(back_populates="application", lazy="raise", order_by="Claim.claim_id")


class Happening(Base):
    """A line of an application's timeline."""

    __tablename__ = "timeline"

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    type: Mapped[str]
    claim_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Award(Base):
    """Money that was promised to an application. Locked by its pool's row."""

    __tablename__ = "awards"
    __table_args__ = (CheckConstraint("awarded = committed + obligated + disbursed"), CheckConstraint("committed >= 0"))

    award_id: Mapped[UUID] = mapped_column(primary_key=True)
    application_id: Mapped[UUID] = mapped_column(ForeignKey("applications.application_id"), unique=True)
    pool: Mapped[str]
    scheme: Mapped[str]
    fiscal_year: Mapped[int]
    district: Mapped[str]
    status: Mapped[str]
    rate: Mapped[int]
    awarded: Mapped[int]
    committed: Mapped[int]
    obligated: Mapped[int] = mapped_column(default=0)
    disbursed: Mapped[int] = mapped_column(default=0)
    limited_by: Mapped[str]
    voucher_code: Mapped[str | None] = mapped_column(unique=True)
    verification_id: Mapped[UUID | None]
    issued_at: Mapped[datetime]
    valid_until: Mapped[datetime]

    application: Mapped[Application] = relationship(back_populates="award", lazy="raise")


class Claim(Base):
    """A claim on an award."""

    __tablename__ = "claims"
    __table_args__ = (Index("claims_of_application", "application_id"),)

    claim_id: Mapped[UUID] = mapped_column(primary_key=True)
    application_id: Mapped[UUID] = mapped_column(ForeignKey("applications.application_id"))
    award_id: Mapped[UUID]
    status: Mapped[str]
    body: Mapped[dict[str, Any]]
    eligible: Mapped[int | None]
    payable: Mapped[int | None]
    limited_by: Mapped[str | None]
    reasons: Mapped[list[Any] | None]
    waits_for: Mapped[str | None]
    waits_since: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    application: Mapped[Application] = relationship(back_populates="claims", lazy="raise")
    payment: Mapped["Payment | None"] = relationship(back_populates="claim", lazy="raise")


class Invoice(Base):
    """An invoice that counts in a claim, and in no other."""

    __tablename__ = "invoices"

    seller: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID]


# --- finance ----------------------------------------------------------------------------------------------------------


class Account(Base):
    """A company's account, and whether finance knows it as the company's. ``sealed`` is opened to tell finance."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("applicant", "fingerprint"),
        Index("accounts_asked", "verification_id", postgresql_where="status = 'asked'"),
    )

    verification_id: Mapped[UUID] = mapped_column(primary_key=True)
    applicant: Mapped[str]
    fingerprint: Mapped[str]
    status: Mapped[str] = mapped_column(default="asked")
    reason_code: Mapped[str | None]
    application_id: Mapped[UUID]
    scheme: Mapped[str]
    sealed: Mapped[dict[str, Any]]
    asked_at: Mapped[datetime]


class Payment(Base):
    """A payment that is ordered once."""

    __tablename__ = "payments"
    __table_args__ = (
        Index("payments_instructed", "payment_id", postgresql_where="status = 'instructed'"),
        Index("payments_held", "verification_id", postgresql_where="status = 'held'"),
    )

    payment_id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID] = mapped_column(ForeignKey("claims.claim_id"), unique=True)
    award_id: Mapped[UUID]
    application_id: Mapped[UUID]
    applicant: Mapped[str]
    scheme: Mapped[str]
    pool: Mapped[str]
    amount: Mapped[int]
    end_to_end_id: Mapped[str]
    status: Mapped[str]
    hold: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=1)
    verification_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.verification_id"))
    instructed_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    reason_code: Mapped[str | None]
    bank_reference: Mapped[str | None]

    claim: Mapped[Claim] = relationship(back_populates="payment", lazy="raise")
    account: Mapped[Account | None] = relationship(lazy="raise")


class Report(Base):
    """What the bank said of a payment, and what came of it."""

    __tablename__ = "reports"
    __table_args__ = (Index("reports_of_payment", "payment_id"),)

    report_id: Mapped[UUID] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID]
    type: Mapped[str]
    effect: Mapped[str]
    detail: Mapped[str]
    amount: Mapped[int]
    bank_reference: Mapped[str]
    received_at: Mapped[datetime]


class Idempotency(Base):
    """The answer that was given under a key."""

    __tablename__ = "idempotency"

    client: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    created_at: Mapped[datetime]
