"""The policy document: one scheme's rules as data. A published version never changes.

Every service takes what it needs of a scheme from the ``policy.published`` event that carries this document. Read
from an event, fields that are not known are ignored, as in all events; eligibility refuses them when it reads the file.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from contracts.common import AwardKind, Text
from contracts.money import Money, Rate

Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]
Slug = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9-]{1,62}$")]


class Window(msgspec.Struct, frozen=True):
    """A period in which applications are taken: from ``opens_at``, until just before ``closes_at``."""

    opens_at: Annotated[datetime, msgspec.Meta(tz=True)]
    closes_at: Annotated[datetime, msgspec.Meta(tz=True)]

    def contains(self, moment: datetime) -> bool:
        return self.opens_at <= moment < self.closes_at


class Criterion(msgspec.Struct, frozen=True):
    """One condition: a CEL expression over the declared facts that must be true.

    ``facts`` names the register facts it needs; while one is unknown the application waits.
    """

    id: Slug
    clause: str
    expression: str
    met: Text
    not_met: Text
    facts: tuple[str, ...] = ()


class ClaimRules(msgspec.Struct, frozen=True):
    """What a claim must bring and what is taken off its invoices."""

    deduct_tax: bool = True
    usage_required: bool = False
    seller_is_provider: bool = True


class PaymentRules(msgspec.Struct, frozen=True, kw_only=True):
    """How the scheme's money leaves: ``verify_account`` asks finance about an account before it is first paid to,
    ``release_above`` holds larger payments until two persons have released them, ``net_recoveries`` keeps back what
    the company owes.
    """

    verify_account: bool = False
    release_above: Money | None = None
    net_recoveries: bool = False


class Evidence(msgspec.Struct, frozen=True):
    """A document that the applicant is asked for."""

    id: Slug
    required: bool
    text: Text


Step = Literal["remind", "escalate", "lapse", "ask_finance"]


class Deadline(msgspec.Struct, frozen=True):
    """How long one kind of wait may last (ISO 8601, e.g. ``P30D`` or ``PT24H``), and what happens when it does.

    ``remind`` makes it visible and no more, ``escalate`` hands it to an officer, ``lapse`` ends it,
    ``ask_finance`` asks what became of a payment, again after each such time, and never instructs it again.
    """

    within: timedelta
    then: Step


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """The deadlines of a scheme, by what is waited for. They begin anew with each wait; nothing waits without one.

    Only an application in line for money has none: it is served by its place, when money is freed.
    """

    draft: Deadline = Deadline(timedelta(days=30), "lapse")  # the applicant submits it, from its last change on
    decision: Deadline = Deadline(timedelta(days=10), "remind")  # eligibility says anything about it
    registers: Deadline = Deadline(timedelta(hours=24), "escalate")  # the outside registers answer
    officer: Deadline = Deadline(timedelta(days=5), "remind")  # an officer decides
    award: Deadline = Deadline(timedelta(hours=24), "remind")  # an approval becomes an award, or gets in line
    verification: Deadline = Deadline(timedelta(hours=24), "remind")  # a claim is verified
    instruction: Deadline = Deadline(timedelta(hours=24), "remind")  # a verified claim is instructed for payment
    payment: Deadline = Deadline(timedelta(hours=48), "ask_finance")  # finance reports what the bank did
    account: Deadline = Deadline(timedelta(days=10), "remind")  # a returned payment gets a corrected account
    account_check: Deadline = Deadline(timedelta(hours=48), "ask_finance")  # finance says whose an account is
    release: Deadline = Deadline(timedelta(days=3), "remind")  # two persons release a large payment
    recovery: Deadline = Deadline(timedelta(days=30), "remind")  # the company pays back what was demanded


# What may follow a missed deadline: there is no officer yet for a draft, and nothing but finance knows of a payment.
POSSIBLE_STEPS: Final[dict[str, frozenset[Step]]] = {
    **{clock: frozenset({"remind"}) for clock in Clocks.__struct_fields__},
    "draft": frozenset({"remind", "lapse"}),
    "registers": frozenset({"remind", "escalate"}),
    "payment": frozenset({"remind", "ask_finance"}),
    "account_check": frozenset({"remind", "ask_finance"}),
}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A scheme's rules for an effective period.

    ``rate`` is the share of the expense that is paid. ``cap`` is the most one company (or cap group) gets
    in a fiscal year, ``envelope`` the most the scheme commits in one, ``stack_limit`` the largest share of a contract
    that all public support together may reach. Each is None where there is no such limit.

    An award can be claimed on until its ``validity_months`` are over. ``expiry_notice_days`` before that the company
    is told; ``expiry_grace_days`` after it, when what was claimed in time is decided, its rest is given back.
    """

    scheme: Slug
    version: str
    status: Literal["published", "draft"] = "published"
    provisional: bool
    title: Text
    rule: Text
    pool: Slug | None
    kind: AwardKind
    number_prefix: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2,4}$")]
    effective_from: date
    effective_until: date
    timezone: str = "Asia/Shanghai"
    windows: tuple[Window, ...]
    districts: tuple[Slug, ...]
    rate: Rate
    cap: Money | None
    envelope: Money | None
    waitlist: Literal["whole", "partial"] = "whole"
    stack_limit: Rate | None = None
    validity_months: int
    expiry_notice_days: Days = 30
    expiry_grace_days: Days = 30
    criteria: tuple[Criterion, ...]
    claims: ClaimRules = ClaimRules()
    payments: PaymentRules = PaymentRules()
    evidence: tuple[Evidence, ...] = ()
    form: dict[str, Any] = {}
    clocks: Clocks = Clocks()

    def open_at(self, moment: datetime) -> bool:
        """Return whether an application may be submitted at ``moment``."""
        return any(window.contains(moment) for window in self.windows)
