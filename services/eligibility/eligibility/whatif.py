"""What a draft would have done: past applications decided again under another policy, on the facts of their time.

Pure, and fed one application after another in the order of submission, so that a hundred thousand need little memory.
The same simple limits are applied to what happened and to what would have: the cap of the group, the envelope of the
year, first come first served. The pool is not known here; what it could pay is compared by whoever knows its balance.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.events import ApplicationSubmitted
from contracts.policy import Policy
from eligibility import rules
from eligibility.records import Assessment
from eligibility.rules import Rulebook

# Headcounts up to which a company is micro, small, medium (as published statistics divide software firms); then large.
SIZES: Final = ((9, "micro"), (99, "small"), (299, "medium"))
_NOT_FROZEN: Final = frozenset({rules.CONTRACT_SUPPORT})


class Sum(msgspec.Struct):
    """How many are supported, and for how much (fen)."""

    supported: int = 0
    amount: int = 0

    def add(self, amount: int) -> None:
        self.supported += amount > 0
        self.amount += amount


class Pair(msgspec.Struct):
    """What happened, and what would have."""

    past: Sum = msgspec.field(default_factory=Sum)
    draft: Sum = msgspec.field(default_factory=Sum)

    def add(self, past: int, draft: int) -> None:
        self.past.add(past)
        self.draft.add(draft)


class Change(msgspec.Struct, frozen=True):
    """One application that would have fared otherwise; amounts in fen, ``because`` are the draft's codes not met."""

    application_id: str
    applicant: str
    district: str
    past: int
    draft: int
    because: tuple[str, ...]


class Limits:
    """The cap of a group and the envelope of a year, as they fill up."""

    def __init__(self) -> None:
        self._caps: Counter[tuple[int, str]] = Counter()
        self._years: Counter[int] = Counter()
        self.exhausted_on: dict[int, date] = {}

    def award(self, policy: Policy, group: str, day: date, approved: int) -> int:
        """Return what is left to award of an approval; nothing for whoever comes when the envelope is used up."""
        amount = approved
        if policy.cap is not None:
            amount = min(amount, max(0, policy.cap.amount - self._caps[day.year, group]))
        if policy.envelope is not None:
            left = policy.envelope.amount - self._years[day.year]
            if amount > left:
                self.exhausted_on.setdefault(day.year, day)
                amount = left if policy.waitlist == "partial" else 0
        self.take(group, day, amount)
        return amount

    def take(self, group: str, day: date, amount: int) -> None:
        """Count a sum against the group's cap and the year's envelope."""
        self._caps[day.year, group] += amount
        self._years[day.year] += amount


class PoolLine:
    """What all schemes of a pool took from its appropriation (fen), and the day on which there was no more."""

    def __init__(self, appropriated: int) -> None:
        self._left = {"past": appropriated, "draft": appropriated}
        self.exhausted_on: dict[str, date | None] = {"past": None, "draft": None}

    def take(self, day: date, past: int, draft: int) -> None:
        for name, amount in (("past", past), ("draft", draft)):
            self._left[name] -= amount
            if self._left[name] <= 0 and self.exhausted_on[name] is None:
                self.exhausted_on[name] = day


class WhatIf:
    """The comparison under way. Feed it decided applications by the time of their submission.

    ``appropriated`` (fen) is what the draft's pool was given; with it, the other schemes of the pool have to be told
    of too (``beside``).
    """

    def __init__(self, draft: Rulebook, appropriated: int | None = None) -> None:
        self._draft = draft
        self._limits = {"past": Limits(), "draft": Limits()}
        self._pool = None if appropriated is None else PoolLine(appropriated)
        self._beside: defaultdict[str, Limits] = defaultdict(Limits)
        self.applications = 0
        self.unknown: Counter[str] = Counter()
        self.total = Pair()
        self.by_month: defaultdict[str, Pair] = defaultdict(Pair)
        self.by_district: defaultdict[str, Pair] = defaultdict(Pair)
        self.by_size: defaultdict[str, Pair] = defaultdict(Pair)
        self.changes: list[Change] = []

    def beside(self, past: Assessment, policy: Policy) -> None:
        """Count what another scheme, or this one before the comparison begins, took from the same pool."""
        if self._pool is None or policy.pool != self._draft.policy.pool or past.approved is None:
            return
        day = past.submitted.submitted_at.astimezone(ZoneInfo(policy.timezone)).date()
        group = past.cap_holder or past.submitted.applicant
        amount = self._beside[policy.scheme].award(policy, group, day, past.approved.amount)
        self._pool.take(day, amount, amount)

    def feed(self, past: Assessment, policy: Policy) -> None:
        """Decide one application again. ``policy`` is the one that it was decided under."""
        assert past.facts is not None, "it was decided on facts"
        submitted = past.submitted
        day = submitted.submitted_at.astimezone(ZoneInfo(policy.timezone)).date()
        self.applications += 1
        group = past.cap_holder or submitted.applicant
        happened = past.approved.amount if past.outcome == "approved" and past.approved else 0
        before = self._limits["past"].award(policy, group, day, happened)
        approved, because = self._decide(submitted, past.facts, past.decided_at)
        if approved is None:
            self.unknown.update(because)
            after = before  # never a guess: what can't be told counts as it was, and uses up what it used up
            self._limits["draft"].take(group, day, before)
        else:
            after = self._limits["draft"].award(self._draft.policy, group, day, approved)
        self._count(submitted, day, before, after)
        if self._pool is not None:
            self._pool.take(day, before, after)
        if approved is not None and before != after:
            change = (str(submitted.application_id), submitted.applicant, submitted.district, before, after)
            self.changes.append(Change(*change, because))

    def _decide(
        self, submitted: ApplicationSubmitted, facts: Mapping[str, Any], at: datetime | None
    ) -> tuple[int | None, tuple[str, ...]]:
        """Return what the draft gives and what was not met; None, and what is lacking, where it can't be told.

        The draft's own dates and windows are left out: it is asked what its rules would have said then. What persons
        would have decided is not known either: their criteria are the rules'.
        """
        assert at is not None, "it was decided"
        known = {name: fact for name, fact in facts.items() if name not in _NOT_FROZEN}
        decision = rules.decide(self._draft, submitted, known, at)
        others = [reason for reason in decision.reasons if reason.code not in _ABOUT_TIME_AND_PERSONS]
        if against := tuple(reason.code for reason in others if reason.outcome == "not_met"):
            return 0, against
        if lacking := tuple(reason.code for reason in others if reason.outcome == "unknown"):
            return None, lacking
        return rules.computed(self._draft, submitted, known).amount, ()

    def _count(self, submitted: ApplicationSubmitted, day: date, before: int, after: int) -> None:
        self.total.add(before, after)
        self.by_month[f"{day:%Y-%m}"].add(before, after)
        self.by_district[submitted.district].add(before, after)
        self.by_size[size_of(submitted.company.headcount)].add(before, after)

    def result(self) -> dict[str, Any]:
        """Return the comparison as plain data; changes come with the largest loss first."""
        draft = self._draft.policy
        exhausted = {name: limits.exhausted_on for name, limits in self._limits.items()}
        return {
            "scheme": draft.scheme,
            "version": draft.version,
            "applications": self.applications,
            "winners": sum(change.draft > change.past for change in self.changes),
            "losers": sum(change.draft < change.past for change in self.changes),
            "unknown": dict(self.unknown),
            "total": self.total,
            "by_month": dict(sorted(self.by_month.items())),
            "by_district": dict(sorted(self.by_district.items())),
            "by_size": dict(self.by_size),
            "envelope_exhausted_on": exhausted,
            "pool_exhausted_on": None if self._pool is None else self._pool.exhausted_on,
            "changes": sorted(self.changes, key=lambda change: change.draft - change.past),
        }


_ABOUT_TIME_AND_PERSONS: Final = frozenset({"window-open", "policy-effective", "review", "public-notice"})


def size_of(headcount: int) -> str:
    return next((name for most, name in SIZES if headcount <= most), "large")
