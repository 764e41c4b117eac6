"""What is told of a trial: whom it waits for, what it was decided, and what an award is made of."""

from datetime import datetime
from typing import Any

from contracts.common import Text
from contracts.events import ApplicationApproved, ApplicationReassessed, ApplicationRejected, ReviewOpened
from contracts.money import Money
from eligibility import hearing, rules, support, texts, waits
from eligibility.trials import Trial


def _words(trial: Trial, holder: str, missing: list[str]) -> Text:
    if trial.decision.standing is not None:
        return texts.WAITING_FOR_NOTICE if holder == waits.PUBLIC_NOTICE else texts.WAITING_FOR_REVIEW
    if trial.missed_call:
        return texts.MISSED_CALL
    if holder == waits.PANEL:
        return texts.WAITING_FOR_PANEL
    return texts.waiting_for_registers(missing) if missing else texts.WAITING_FOR_OFFICER


def review_opened(trial: Trial, now: datetime, holder: str, missing: list[str]) -> ReviewOpened:
    submitted = trial.assessment.submitted
    return ReviewOpened(
        occurred_at=now,
        application_id=submitted.application_id,
        scheme=submitted.scheme,
        applicant=submitted.applicant,
        waiting_for=_words(trial, holder, missing),
        holder=holder,
    )


def approved(trial: Trial) -> ApplicationApproved:
    assert trial.decision.approved is not None, "an approval has an amount"
    return ApplicationApproved(**_common(trial), **_award_of(trial, trial.decision.approved))


def reassessed(trial: Trial) -> ApplicationReassessed:
    """Return what is told of an approval that was decided anew, whatever became of it."""
    decision = trial.decision
    asked = [one for one in hearing.said_in(trial.facts) if one.kind == "reassessment"]
    because = asked[-1].words if asked else None
    return ApplicationReassessed(
        **_common(trial),
        **_award_of(trial, decision.approved or Money(0)),
        outcome="approved" if decision.outcome == "approved" else "rejected",
        because=because if isinstance(because, Text) else texts.DECIDED_ANEW,
    )


def _award_of(trial: Trial, approved: Money) -> dict[str, Any]:
    """Return what an award is made of. Whose cap a rejected application uses need not be known any more."""
    submitted, decision, policy = trial.assessment.submitted, trial.decision, trial.rulebook.policy
    related = trial.facts.get(rules.RELATED)
    return {
        "pool": policy.pool,
        "kind": policy.kind,
        "approved": approved,
        "rate": decision.rate,
        "cap_holder": decision.cap_holder or trial.assessment.cap_holder or submitted.applicant,
        "cap_members": support.cap_members(submitted.applicant, related) if related else (),
        "creditor": submitted.company.account,
        "contract": submitted.request.contract,
        "stack": support.stack(policy, submitted.request),
    }


def rejected(trial: Trial) -> ApplicationRejected:
    return ApplicationRejected(**_common(trial))


def _common(trial: Trial) -> dict[str, Any]:
    submitted, decision, policy = trial.assessment.submitted, trial.decision, trial.rulebook.policy
    return {
        "occurred_at": decision.decided_at,
        "application_id": submitted.application_id,
        "scheme": submitted.scheme,
        "applicant": submitted.applicant,
        "district": submitted.district,
        "policy_version": policy.version,
        "provisional": policy.provisional,
        "reasons": decision.reasons,
        "submitted_at": submitted.submitted_at,
    }
