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

    ``facts`` names the register facts it needs. While one is unknown the application waits for the registers, or is
    handed to an officer at once, as ``unknown`` says.
    """

    id: Slug
    clause: str
    expression: str
    met: Text
    not_met: Text
    facts: tuple[str, ...] = ()
    unknown: Literal["wait", "officer"] = "wait"


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A step of support. The first tier whose ``when`` (CEL, as in a criterion) holds gives the rate and the most that
    one application gets; one without ``when`` holds always.
    """

    id: Slug
    clause: str
    when: str | None = None
    facts: tuple[str, ...] = ()
    rate: Rate
    most: Money | None = None
    text: Text


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A sum that is claimed by its name: once, or once for each month where it is ``monthly``, ``times`` at most."""

    id: Slug
    money: Money
    monthly: bool = False
    times: Annotated[int, msgspec.Meta(ge=1, le=120)] = 1
    text: Text


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """A call: once its window has closed, a panel scores the applications that meet every criterion, and the best are
    funded from the top until ``budget`` ends.

    ``panel`` different persons score each, in whole points from 0 to ``scale``. Below an average of ``threshold``
    nothing is funded. A score that lies ``outlier`` points or more from the median is shown as one, and counts.
    ``ties`` are broken in this order, at last by lot. ``last`` says whether the first one that the budget does not
    cover gets the rest.
    """

    budget: Money
    panel: Annotated[int, msgspec.Meta(ge=1, le=15)]
    scale: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    threshold: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    outlier: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    ties: tuple[Literal["smaller_request", "earlier_submission", "lot"], ...] = ()
    last: Literal["partial", "whole"] = "whole"


class ClaimRules(msgspec.Struct, frozen=True):
    """What a claim must bring, what counts in it, and what is taken off.

    ``basis`` is what is counted: ``invoices`` less their tax; ``milestones``, whose sums the application laid down in
    ``request.details.milestones`` (each with ``id`` and ``money``); ``parts``, whose sums stand here; ``calls``, a sum
    that the claim names in ``details.money``. ``statement``: the claim brings the provider's statement of use as a
    document, which the contract's provider has ``confirmed`` under its own name. ``accepted_by`` says in words who has
    to accept each claim (the owner of a scenario, a committee); an officer records it, and as many persons as
    ``accepting_persons`` have to.
    """

    deduct_tax: bool = True
    usage_required: bool = False
    statement: Literal["none", "uploaded", "confirmed"] = "none"
    seller_is_provider: bool = True
    basis: Literal["invoices", "milestones", "parts", "calls"] = "invoices"
    parts: tuple[Part, ...] = ()
    accepted_by: Text | None = None
    accepting_persons: Annotated[int, msgspec.Meta(ge=1, le=15)] = 1


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """Who decides on an application that meets every criterion.

    ``automatic``: the criteria do. ``persons``: so many different officers as ``votes`` says, ``all`` of whom have to
    approve, or the ``majority``. Above ``second_above`` there is one vote more, so that two persons stand behind it
    (domain.md, rule 7). An approval is then shown in public for ``public_notice_days`` before it counts.
    """

    route: Literal["automatic", "persons"] = "automatic"
    votes: Annotated[int, msgspec.Meta(ge=1, le=15)] = 1
    needed: Literal["all", "majority"] = "all"
    second_above: Money | None = None
    public_notice_days: Days = 0


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
    clarification: Deadline = Deadline(timedelta(days=15), "lapse")  # the applicant answers what an officer asked
    appeal: Deadline = Deadline(timedelta(days=30), "remind")  # somebody else decides an appeal
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
    "clarification": frozenset({"remind", "lapse"}),
    "registers": frozenset({"remind", "escalate"}),
    "payment": frozenset({"remind", "ask_finance"}),
    "account_check": frozenset({"remind", "ask_finance"}),
}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A scheme's rules for an effective period.

    Where the periods of two versions overlap, the one that begins later says in ``replaces`` which it takes over from.

    ``rate`` is the share of the expense that is paid, where no tier gives another one. ``most`` is the most that one
    application gets, ``cap`` the most one company (or cap group) gets in a fiscal year, ``envelope`` the most the
    scheme commits in one, ``stack_limit`` the largest share of a contract that all public support together may reach.
    Each is None where there is no such limit. ``form`` is a JSON Schema (2020-12) of ``request.details``, the scheme's
    own fields; the first of its ``examples`` is the answer that expressions are tried on.

    An award can be claimed on until its ``validity_months`` are over. ``expiry_notice_days`` before that the company
    is told; ``expiry_grace_days`` after it, when what was claimed in time is decided, its rest is given back.
    A rejection can be appealed against for ``appeal_days`` (60: Administrative Reconsideration Law, article 20).
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
    replaces: str | None = None
    timezone: str = "Asia/Shanghai"
    windows: tuple[Window, ...]
    districts: tuple[Slug, ...]
    contract: Literal["required", "none"] = "required"
    rate: Rate
    tiers: tuple[Tier, ...] = ()
    most: Money | None = None
    cap: Money | None
    envelope: Money | None
    waitlist: Literal["whole", "partial"] = "whole"
    stack_limit: Rate | None = None
    validity_months: int
    expiry_notice_days: Days = 30
    expiry_grace_days: Days = 30
    appeal_days: Days = 60
    criteria: tuple[Criterion, ...]
    review: Review = Review()
    ranking: Ranking | None = None
    claims: ClaimRules = ClaimRules()
    payments: PaymentRules = PaymentRules()
    evidence: tuple[Evidence, ...] = ()
    form: dict[str, Any] = {}
    clocks: Clocks = Clocks()

    def open_at(self, moment: datetime) -> bool:
        """Return whether an application may be submitted at ``moment``."""
        return any(window.contains(moment) for window in self.windows)
