"""The bodies that the portal sends and gets: shapes and limits of single fields. What they mean together is for rules.

Every message says what is wrong and what would be right. Unknown fields are refused, so that a typo is not lost.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from contracts.money import LARGEST_EXACT_INTEGER
from intake import codes
from kit import masking
from kit.fields import Day, Flag, Moment, Whole
from kit.validation import FieldError


def _no_mask(value: Any) -> Any:
    """Refuse what we showed masked and is sent back so: the mask would stand where the value was."""
    if isinstance(value, str) and masking.is_masked(value):
        raise FieldError(
            "是掩码而非原值：请重新填写完整内容；如无变更，请不要提交 applicant",
            "is a mask, as answers show it, and not the value: send the whole value again, or leave `applicant` out "
            "where it stays as it is",
        )
    return value


Unmasked = BeforeValidator(_no_mask)
Uscc = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, min_length=18, max_length=18),
    AfterValidator(codes.checked),
    Field(
        description="unified social credit code, 18 characters, GB 32100-2015",
        examples=["91440300708461136T"],
        json_schema_extra={"format": "uscc"},
    ),
]
_NOT_BLANK: Final[dict[str, Any]] = {"pattern": r"\S"}  # spaces around a text are taken off before it is measured
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Field(examples=["深圳市示例科技有限公司"], json_schema_extra=_NOT_BLANK),
]
Short = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    Field(examples=["HT-2026-017"], json_schema_extra=_NOT_BLANK),
]
Long = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    Field(examples=["The register was out of date."], json_schema_extra=_NOT_BLANK),
]
Slug = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9-]{1,62}$"), Field(examples=["compute-voucher"])]
Fen = Annotated[
    Whole,
    Field(le=LARGEST_EXACT_INTEGER, description="whole fen; 1 CNY = 100 fen", examples=[100_000_000]),
]

Status = Literal[
    "draft", "submitted", "assessing", "clarifying", "in_review", "public_notice", "approved", "waitlisted", "awarded",
    "rejected", "withdrawn", "lapsed",
]  # fmt: skip


class Body(BaseModel):
    """What all bodies share: unknown fields are refused. What no text may hold is refused before (`kit.bodies`)."""

    model_config = ConfigDict(extra="forbid")


class Money(Body):
    """An amount above zero."""

    amount: Annotated[Fen, Field(gt=0)]
    currency: Literal["CNY"]


class Tax(Body):
    """An amount of zero or more."""

    amount: Annotated[Fen, Field(ge=0, examples=[1_132_075])]
    currency: Literal["CNY"]


class Account(Body):
    """The account that the applicant is paid on."""

    name: Annotated[Name, Unmasked]
    number: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern="^[0-9A-Za-z -]{4,40}$"),
        Field(examples=["6222000011112222"]),
        Unmasked,  # last, so that it comes first, and hides nothing from the document
    ]
    bank_code: Annotated[Short, Field(examples=["ICBKCNBJ"])]


class Contact(Body):
    """Whom officers may ask. Stays in intake: no event carries it."""

    name: Annotated[Name, Unmasked]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200), Unmasked] | None = (
        Field(default=None, examples=["contact@example.com"])
    )
    phone: Annotated[str, StringConstraints(pattern=r"^[0-9+() -]{5,30}$"), Unmasked] | None = Field(
        default=None, examples=["+86 755 1234567"]
    )


class Applicant(Body):
    """The company that applies."""

    uscc: Uscc
    name: Name
    district: Annotated[Slug, Field(examples=["nanshan"])]
    registered_on: Day
    chain: Literal["chips", "models", "hardware", "applications", "robotics"]
    headcount: Annotated[Whole, Field(ge=0, le=10_000_000, examples=[12])]
    opc: Flag = False
    account: Account
    contact: Contact | None = None


class Contract(Body):
    """The signed contract that the award is asked for."""

    number: Short
    provider: Uscc
    signed_on: Day
    starts_on: Day
    ends_on: Day
    money: Money

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Contract":
        if self.ends_on < self.starts_on:
            raise FieldError(
                f"ends_on {self.ends_on} 不得早于 starts_on {self.starts_on}",
                f"ends_on {self.ends_on} is before starts_on {self.starts_on}",
            )
        return self


class Request(Body):
    """What is asked for. For a voucher, ``money`` is the expected expense; the award is at most rate x that.

    Only a scheme that gives no money (an accreditation) is asked for without it.
    """

    money: Money | None = None
    contract: Contract | None = None
    details: dict[str, Any] = {}


class NewApplication(Body):
    """An application: a draft, or submitted at once."""

    scheme: Slug
    applicant: Applicant
    request: Request
    documents: Annotated[list[UUID], Field(max_length=100)] = []
    submit: Flag = Field(default=False, description="true: submit at once; false: keep as a draft")


class ChangedDraft(Body):
    """New parts of a draft; a part that is absent stays as it is."""

    applicant: Applicant | None = None
    request: Request | None = None
    documents: Annotated[list[UUID], Field(max_length=100)] | None = None


class Withdrawal(Body):
    """Why the applicant withdraws; may be empty."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""


_AT: Final = "RFC 3339 with an offset; write its `+` as `%2B`"


class Search(Body):
    """What applications are searched by. A name or status that is not known is refused: it would find all, or none."""

    applicant: str | None = None
    scheme: str | None = None
    status: Status | None = None
    district: str | None = None
    submitted_from: Annotated[Moment | None, Field(description=_AT)] = None
    submitted_until: Annotated[Moment | None, Field(description=_AT)] = None
    limit: Annotated[int, Field(ge=1, le=200, description="at most so many items")] = 50
    cursor: Annotated[UUID | None, Field(description="the `next_cursor` of the page before")] = None


class Clarification(Body):
    """The applicant's answer to what an officer asked."""

    answer: Long
    documents: Annotated[list[UUID], Field(max_length=100)] = []


class Appeal(Body):
    """Why a rejection should be looked at again. It is decided once, by somebody who had no part in it."""

    grounds: Long
    documents: Annotated[list[UUID], Field(max_length=100)] = []


class Invoice(Body):
    """An invoice. Seller and number together count once in the whole programme."""

    number: Short
    seller: Uscc
    issued_on: Day
    money: Money
    tax: Tax

    @model_validator(mode="after")
    def _tax_is_part(self) -> "Invoice":
        if self.tax.amount >= self.money.amount:
            raise FieldError(
                f"税额 {self.tax.amount} 须小于金额 {self.money.amount}",
                f"tax {self.tax.amount} must be less than money {self.money.amount}",
            )
        return self


class Usage(Body):
    """The period of use that the claim covers."""

    starts_on: Day
    ends_on: Day
    statement: UUID | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> "Usage":
        if self.ends_on < self.starts_on:
            raise FieldError(
                f"ends_on {self.ends_on} 不得早于 starts_on {self.starts_on}",
                f"ends_on {self.ends_on} is before starts_on {self.starts_on}",
            )
        return self


class NewClaim(Body):
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
                raise FieldError(
                    f"invoices/{position} 重复：{invoice.seller} 的 {invoice.number}",
                    f"invoices/{position} is named twice: {invoice.number} of {invoice.seller}",
                )
            seen.add((invoice.seller, invoice.number))
        return self
