"""The words that several events share: companies, contracts, invoices, reasons, texts in two languages.

``gc=False``: the collector looks for rings, and none of these can be in one, while a batch makes ten thousands of them.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from contracts.money import Money

Uscc = Annotated[
    str,
    msgspec.Meta(pattern="^[0-9A-HJ-NP-RTUWXY]{18}$", description="unified social credit code, GB 32100-2015"),
]
Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, UTC, microseconds")]
Identifier = Annotated[UUID, msgspec.Meta(description="UUIDv7")]

BalanceState = Literal["available", "committed", "obligated", "disbursed"]
AwardKind = Literal["voucher", "grant", "investment", "accreditation"]
LimitedBy = Literal["approved", "cap", "envelope", "pool", "stack_limit"]
Outcome = Literal["met", "not_met", "unknown"]


class Text(msgspec.Struct, frozen=True, gc=False):
    """A sentence for an applicant, in Simplified Chinese and in English."""

    zh: str = msgspec.field(name="zh-CN")
    en: str

    def in_language(self, language: str) -> str:
        """Return the Chinese text for any tag that begins with ``zh``, otherwise the English one."""
        return self.zh if language.lower().startswith("zh") else self.en


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One criterion of a decision: what the rule asked for, whether it was met, and the words for it."""

    code: str
    clause: str
    outcome: Outcome
    text: Text


class Account(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A bank account that money is paid to.

    Where ``sealed`` is given, ``account`` is a mask such as ``****1234``, and so is the ``name`` of a holder that is
    not the company itself: both are in ``sealed``, for services that have the key (``contracts.accounts``). What
    finance reads, ``disbursement.payments``, has them in clear.
    """

    name: str
    account: str
    bank_code: str
    sealed: Annotated[str | None, msgspec.Meta(description="name and account, encrypted: v1.<key id>.<base64url>")] = (
        None
    )


class Company(msgspec.Struct, frozen=True, gc=False):
    """The applicant as it described itself at submission."""

    uscc: Uscc
    name: str
    district: str
    registered_on: date
    chain: str
    headcount: int
    opc: bool
    account: Account


class Contract(msgspec.Struct, frozen=True, gc=False):
    """The signed contract that an award is asked for."""

    number: str
    provider: Uscc
    signed_on: date
    starts_on: date
    ends_on: date
    money: Money


class Stack(msgspec.Struct, frozen=True, gc=False):
    """The limit of all public support for one contract, and what others give for it (domain.md, rule 1)."""

    limit: Money
    other: Money


class Request(msgspec.Struct, frozen=True, gc=False):
    """What is asked for: the expected expense, the contract behind it, and the scheme's own fields."""

    money: Money
    contract: Contract | None = None
    details: dict[str, Any] = {}


class Invoice(msgspec.Struct, frozen=True, gc=False):
    """An invoice in a claim. ``seller`` and ``number`` together count once in the whole programme."""

    number: str
    seller: Uscc
    issued_on: date
    money: Money
    tax: Money


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The period of use that a claim covers, with the provider's statement."""

    starts_on: date
    ends_on: date
    statement: Identifier | None = None


class DocumentReference(msgspec.Struct, frozen=True, gc=False):
    """Evidence: an event carries where it is and what it hashes to, never the bytes."""

    document_id: Identifier
    sha256: str
    media_type: str
    kind: str | None = None
