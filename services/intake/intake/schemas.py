"""The bodies that the portal sends and gets: shapes and limits of single fields. What they mean together is for rules.

Every message says what is wrong and what would be right. Unknown fields are refused, so that a typo is not lost.
"""

import re
from datetime import date
from operator import mul
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from stdnum.cn import uscc as uscc_number
from stdnum.exceptions import InvalidChecksum, ValidationError

from contracts.money import LARGEST_EXACT_INTEGER

# GB 32100-2015: each of the first 17 characters counts 3 to the power of its place, modulo 31, which the last makes up.
_VALUES: Final = {character: value for value, character in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_WEIGHTS: Final = (*(pow(3, place, 31) for place in range(17)), 1)
_FORM: Final = re.compile("[0-9]{8}[0-9A-Y]{10}")


def _has_right_form(value: str) -> bool:
    """Return whether ``_checked_uscc`` has nothing to say: a tenth of the time that the library needs for it."""
    if not _FORM.fullmatch(value):
        return False
    values = [_VALUES.get(character, -1) for character in value]
    return -1 not in values and sum(map(mul, values, _WEIGHTS)) % 31 == 0


def _checked_uscc(value: str) -> str:
    if _has_right_form(value):
        return value
    try:
        uscc_number.validate(value)
    except InvalidChecksum:
        right = uscc_number.calc_check_digit(value[:17])
        raise ValueError(f"has a wrong check character: after {value[:17]} comes {right} (GB 32100-2015)") from None
    except ValidationError as error:
        raise ValueError(f"is no unified social credit code (GB 32100-2015): {error}") from None
    return value


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)


Uscc = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, min_length=18, max_length=18),
    AfterValidator(_checked_uscc),
    Field(description="unified social credit code, 18 characters, GB 32100-2015", examples=["91440300708461136T"]),
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Slug = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9-]{1,62}$")]
Fen = Annotated[int, Field(strict=True, le=LARGEST_EXACT_INTEGER, description="whole fen; 1 CNY = 100 fen")]


class Body(BaseModel):
    """What all bodies and their parts share: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class WithoutNul(Body):
    """A whole body: the character that no database text can hold is refused, wherever it stands."""

    @model_validator(mode="before")
    @classmethod
    def _holds_no_nul(cls, sent: Any) -> Any:
        for name, value in sent.items() if isinstance(sent, dict) else ():
            if _has_nul(name) or _has_nul(value):
                raise ValueError(f"{name!r} holds the character U+0000; take it out")
        return sent


class Money(Body):
    """An amount above zero."""

    amount: Annotated[Fen, Field(gt=0)]
    currency: Literal["CNY"]


class Tax(Body):
    """An amount of zero or more."""

    amount: Annotated[Fen, Field(ge=0)]
    currency: Literal["CNY"]


class Account(Body):
    """The account that the applicant is paid on."""

    name: Name
    number: Annotated[str, StringConstraints(strip_whitespace=True, pattern="^[0-9A-Za-z -]{4,40}$")]
    bank_code: Short


class Contact(Body):
    """Whom officers may ask. Stays in intake: no event carries it."""

    name: Name
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200)] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^[0-9+() -]{5,30}$")] | None = None


class Applicant(Body):
    """The company that applies."""

    uscc: Uscc
    name: Name
    district: Slug
    registered_on: date
    chain: Literal["chips", "models", "hardware", "applications", "robotics"]
    headcount: Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
    opc: bool = False
    account: Account
    contact: Contact | None = None


class Contract(Body):
    """The signed contract that the award is asked for."""

    number: Short
    provider: Uscc
    signed_on: date
    starts_on: date
    ends_on: date
    money: Money

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Contract":
        if self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} is before starts_on {self.starts_on}")
        return self


class Request(Body):
    """What is asked for. For a voucher, ``money`` is the expected expense; the award is at most rate x that.

    Only a scheme that gives no money (an accreditation) is asked for without it.
    """

    money: Money | None = None
    contract: Contract | None = None
    details: dict[str, Any] = {}


class ApplicationFields(Body):
    """What an application is sent as; in it no text has been looked through for U+0000."""

    scheme: Slug
    applicant: Applicant
    request: Request
    documents: Annotated[list[UUID], Field(max_length=100)] = []
    submit: bool = Field(default=False, description="true: submit at once; false: keep as a draft")


class NewApplication(ApplicationFields, WithoutNul):
    """An application: a draft, or submitted at once."""


class ChangedDraft(WithoutNul):
    """New parts of a draft; a part that is absent stays as it is."""

    applicant: Applicant | None = None
    request: Request | None = None
    documents: Annotated[list[UUID], Field(max_length=100)] | None = None


class Withdrawal(WithoutNul):
    """Why the applicant withdraws; may be empty."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""


class Clarification(WithoutNul):
    """The applicant's answer to what an officer asked."""

    answer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    documents: Annotated[list[UUID], Field(max_length=100)] = []


class Appeal(WithoutNul):
    """Why a rejection should be looked at again. It is decided once, by somebody who had no part in it."""

    grounds: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    documents: Annotated[list[UUID], Field(max_length=100)] = []


class Invoice(Body):
    """An invoice. Seller and number together count once in the whole programme."""

    number: Short
    seller: Uscc
    issued_on: date
    money: Money
    tax: Tax

    @model_validator(mode="after")
    def _tax_is_part(self) -> "Invoice":
        if self.tax.amount >= self.money.amount:
            raise ValueError(f"tax {self.tax.amount} must be less than money {self.money.amount}")
        return self


class Usage(Body):
    """The period of use that the claim covers."""

    starts_on: date
    ends_on: date
    statement: UUID | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Usage":
        if self.ends_on < self.starts_on:
            raise ValueError(f"ends_on {self.ends_on} is before starts_on {self.starts_on}")
        return self


class NewClaim(WithoutNul):
    """A claim against an award: on invoices, or on what else the scheme's policy counts (milestone, part, sum)."""

    invoices: Annotated[list[Invoice], Field(max_length=200)] = []
    usage: Usage | None = None
    milestone: Short | None = None
    documents: Annotated[list[UUID], Field(max_length=100)] = []
    details: dict[str, Any] = {}

    @model_validator(mode="after")
    def _no_invoice_twice(self) -> "NewClaim":
        seen: set[tuple[str, str]] = set()
        for position, invoice in enumerate(self.invoices):
            if (invoice.seller, invoice.number) in seen:
                raise ValueError(f"invoices/{position} is named twice: {invoice.number} of {invoice.seller}")
            seen.add((invoice.seller, invoice.number))
        return self
