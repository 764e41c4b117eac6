"""You are at what a season came to: outcomes by reason and how long things took, from what was read. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from stack.checks import Result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import ApplicationView, ClaimInApplication, ReasonView

_APPEALS: Final = {True: "upheld", False: "dismissed", None: "open"}

Outcomes = Counter[tuple[str, str, str]]


@dataclass(frozen=True)
class Times:
    """How long one stretch took, over all cases that came to its end. In seconds."""

    stretch: str
    cases: int
    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, kw_only=True)
class SchemeLine:
    """What one scheme came to: ``awarded`` and ``paid`` in fen, ``limits`` those that bit and how often."""

    scheme: str
    applications: int
    rejected: int
    awards: int
    awarded: int
    claims: int
    paid: int
    limits: str


@dataclass(frozen=True)
class Report:
    """All that the demonstration tells at its end."""

    evidence: Evidence
    outcomes: Outcomes
    times: list[Times]
    results: list[Result]
    schemes: list[SchemeLine]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data; money in fen."""
        keys = ("subject", "outcome", "reason", "count")
        return {
            "passed": self.passed,
            "pools": [
                {"pool": pool.pool, "appropriated": pool.appropriated.amount, **pool.balances()}
                for pool in self.evidence.pools
            ],
            "outcomes": [dict(zip(keys, (*key, count), strict=True)) for key, count in sorted(self.outcomes.items())],
            "schemes": [asdict(line) for line in self.schemes],
            "targets": [msgspec.structs.asdict(target) for target in self.evidence.targets],
            "times": [vars(times) for times in self.times],
            "checks": [{**vars(result), "passed": result.passed} for result in self.results],
        }


def report(evidence: Evidence, told: Told, results: list[Result]) -> Report:
    """Return the report on the applications that this portal sent."""
    ours = {key: state for key, state in evidence.applications.items() if key in told.accepted}
    counts = outcomes(ours.values(), told) + payment_outcomes(evidence, ours)
    return Report(evidence, counts, list(times(evidence, ours)), results, list(schemes(ours.values())))


def schemes(states: Iterable[ApplicationView]) -> Iterator[SchemeLine]:
    """Yield what each scheme came to, in the order of their names."""
    of_scheme: defaultdict[str, list[ApplicationView]] = defaultdict(list)
    for state in states:
        of_scheme[state.scheme].append(state)
    for scheme, own in sorted(of_scheme.items()):
        awards = [state.award for state in own if state.award is not None]
        claims = [claim for state in own for claim in state.claims]
        limits = Counter(award.limited_by for award in awards if award.limited_by not in (None, "approved"))
        yield SchemeLine(
            scheme=scheme,
            applications=len(own),
            rejected=sum(state.status == "rejected" for state in own),
            awards=len(awards),
            awarded=sum(award.awarded.amount for award in awards),
            claims=len(claims),
            paid=sum(award.paid.amount for award in awards),
            limits=", ".join(f"{name} {count}" for name, count in sorted(limits.items(), key=str)),
        )


def outcomes(states: Iterable[ApplicationView], told: Told) -> Outcomes:
    """Count (what, outcome, reason); what intake refused at once is counted by its problem code."""
    counts: Outcomes = Counter()
    for code, count in told.refused.items():
        counts["application", "refused at once", code] += count
    for code, count in told.claims_refused.items():
        counts["claim", "refused at once", code] += count
    for state in states:
        counts["application", state.status, _reason(state)] += 1
        if state.clarification is not None:
            counts["question", "answered" if state.clarification.answered_at else "open", ""] += 1
        if state.appeal is not None:
            counts["appeal", _APPEALS[state.appeal.upheld], ""] += 1
        for claim in state.claims:
            counts["claim", *_claim_outcome(claim)] += 1
    return counts


def payment_outcomes(evidence: Evidence, ours: Mapping[UUID, ApplicationView]) -> Outcomes:
    """Count (payment, how it ended, at which attempt)."""
    payments = (payment for payment in evidence.payments if payment.application_id in ours)
    return Counter(("payment", payment.status, f"attempt {payment.attempt}") for payment in payments)


def times(evidence: Evidence, ours: Mapping[UUID, ApplicationView]) -> Iterator[Times]:
    """Yield the stretches, from the instants that the services and the bank themselves recorded."""
    applied = {event.application_id: event.submitted_at for event in evidence.submitted()}
    claimed = {event.claim_id: event.submitted_at for event in evidence.claimed()}
    awarded = {each.application_id: each.issued_at for each in evidence.awards if each.application_id in ours}
    settled = {
        each.claim_id: each.settled_at
        for each in evidence.payments
        if each.settled_at is not None and each.application_id in ours
    }
    yield _stretch("application submitted to award", applied, awarded)
    yield _stretch("claim submitted to settlement", claimed, settled)
    yield _stretch("application submitted to first settlement", applied, _first_settlements(evidence, ours))


def _first_settlements(evidence: Evidence, ours: Mapping[UUID, ApplicationView]) -> dict[UUID, datetime]:
    first: dict[UUID, datetime] = {}
    for payment in evidence.payments:
        if payment.settled_at is not None and payment.application_id in ours:
            earlier = first.get(payment.application_id, payment.settled_at)
            first[payment.application_id] = min(earlier, payment.settled_at)
    return first


def _stretch(name: str, begins: Mapping[UUID, datetime], ends: Mapping[UUID, datetime]) -> Times:
    seconds = sorted((end - begins[key]) / timedelta(seconds=1) for key, end in ends.items())
    return Times(name, len(seconds), _quantile(seconds, 0.50), _quantile(seconds, 0.99))


def _quantile(ordered: list[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all do not exceed; 0 when there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _reason(state: ApplicationView) -> str:
    if state.award is not None:
        return f"limited by {state.award.limited_by}"
    if state.decision is None:
        return ""
    return _not_met(state.decision.reasons)


def _claim_outcome(claim: ClaimInApplication) -> tuple[str, str]:
    if claim.status == "payable" and claim.payment is not None:
        return claim.status, f"payment {claim.payment.status}"
    return claim.status, _not_met(claim.reasons)


def _not_met(reasons: Iterable[ReasonView]) -> str:
    return ", ".join(reason.code for reason in reasons if reason.outcome == "not_met")
