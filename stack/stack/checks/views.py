"""You are at the check of views: intake shows what eligibility decided and what disbursement holds."""

from collections.abc import Iterator

from stack.checks.result import Result, result
from stack.simulators.auditor import Evidence
from stack.simulators.portal import Told
from stack.simulators.views import Award, AwardInApplication


def intake_equals_owners(evidence: Evidence, _: Told) -> Result:
    """Every decision, award and payment in intake's view is the owner's, and none is lacking."""

    def differences() -> Iterator[str]:
        yield from _decisions(evidence)
        yield from _awards(evidence)
        yield from _payments(evidence)

    decided, awarded, paid = len(evidence.assessments), len(evidence.awards), len(evidence.payments)
    seen = f"{decided} assessments, {awarded} awards, {paid} payments"
    return result("intake shows what the owners hold", seen, differences())


def _decisions(evidence: Evidence) -> Iterator[str]:
    """Eligibility decides, but disbursement may refuse what it approved; who withdrew first has no decision."""
    refused = evidence.refused()
    for application_id, state in evidence.applications.items():
        assessment = evidence.assessments.get(application_id)
        decided = assessment.outcome if assessment else None
        if application_id in refused:
            decided = "rejected"
        shown = state.decision.outcome if state.decision else None
        if shown != decided and state.status not in {"withdrawn", "draft"}:
            yield f"application {application_id} shows decision {shown}, its owners have {decided}"


def _awards(evidence: Evidence) -> Iterator[str]:
    held = {award.application_id: _facts(award) for award in evidence.awards}
    shown = {key: _facts(state.award) for key, state in evidence.applications.items() if state.award}
    for application_id in sorted(held.keys() | shown.keys()):
        if shown.get(application_id) != held.get(application_id):
            there, here = held.get(application_id), shown.get(application_id)
            yield f"application {application_id} shows award {here}, disbursement has {there}"


def _payments(evidence: Evidence) -> Iterator[str]:
    held = {payment.claim_id: (payment.payment_id, payment.status) for payment in evidence.payments}
    shown = {
        claim.claim_id: (claim.payment.payment_id, claim.payment.status)
        for state in evidence.applications.values()
        for claim in state.claims
        if claim.payment is not None
    }
    for claim_id in sorted(held.keys() | shown.keys()):
        if shown.get(claim_id) != held.get(claim_id):
            yield f"claim {claim_id} shows payment {shown.get(claim_id)}, disbursement has {held.get(claim_id)}"


def _facts(award: Award | AwardInApplication) -> dict[str, object]:
    """Return what both sides show of an award."""
    return {
        "award_id": str(award.award_id),
        "status": award.status,
        **{name: getattr(award, name).amount for name in ("awarded", "claimed", "paid", "rest")},
    }
