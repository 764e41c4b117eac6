"""What happens here when a claim was submitted or withdrawn, and what is told of it: plain functions, like handlers."""

from datetime import datetime

from contracts.events import ClaimRejected, ClaimSubmitted, ClaimVerified, ClaimWithdrawn
from contracts.policy import Policy
from eligibility import claim_rules
from eligibility.claim_rules import Support, Verification, counted_keys
from eligibility.records import Assessment, Claim, Task, WorkingSet
from eligibility.rules import COMMUNITY, facts_needed
from eligibility.shelf import Shelf
from kit.identifiers import uuid7
from kit.logging import get_logger

log = get_logger(__name__)


def on_claim_submitted(event: ClaimSubmitted, work: WorkingSet) -> None:
    """Verify the claim. The invoices that count in it count in no other claim of the programme from now on."""
    if event.claim_id in work.claims:
        log.warning("claim_submitted_again", claim_id=str(event.claim_id))
        return
    result = _verify(event, work)
    work.holders |= dict.fromkeys(result.counted, event.claim_id)
    policy = _policy_of(event, work)
    waits_for_persons = result.verified and policy is not None and policy.claims.accepted_by is not None
    work.claims[event.claim_id] = Claim(
        claim_id=event.claim_id,
        submitted=event,
        status="waiting" if waits_for_persons else "verified" if result.verified else "rejected",
        eligible=result.eligible if result.verified else None,
        reasons=result.reasons,
        decided_at=work.now,
    )
    work.changed_claims.add(event.claim_id)
    if waits_for_persons and policy is not None:
        work.tasks.append(_acceptance(event, policy, work.now))
    else:
        work.announcements.say(
            verified(event, result, work.now) if result.verified else rejected(event, result, work.now)
        )


def on_claim_withdrawn(event: ClaimWithdrawn, work: WorkingSet) -> None:
    """Remember the withdrawal. The claim's invoices stay counted when it was verified: its payment is on its way.

    Only a rejected claim holds no invoices. Whether a payment could still be stopped is disbursement's knowledge;
    an invoice that was released here and claimed again would be paid twice.
    """
    claim = work.claims.get(event.claim_id)
    if claim is None or claim.status not in ("verified", "waiting"):
        log.info("withdrawal_of_no_open_claim", claim_id=str(event.claim_id))
        return
    if claim.status == "waiting":  # nobody has accepted it: what counted in it is free again
        work.freed_claims.add(event.claim_id)
    claim.status = "withdrawn"
    work.changed_claims.add(event.claim_id)


def _verify(event: ClaimSubmitted, work: WorkingSet) -> Verification:
    assessment = work.assessments.get(event.application_id)
    taken = {key for key in counted_keys(event) if work.holders[key] is not None}
    supported = None
    if assessment is not None and assessment.submitted.applicant == event.applicant:
        supported = _support(assessment, event, work)
    return claim_rules.verify(event, supported, taken)


def _support(assessment: Assessment, event: ClaimSubmitted, work: WorkingSet) -> Support | None:
    if assessment.status == "withdrawn" or assessment.outcome != "approved" or assessment.decided_at is None:
        return None
    submitted = assessment.submitted
    policy = work.shelf.find(*assessment.version, submitted.submitted_at).policy
    named = community_of(event, assessment, work.shelf)
    resident = None if named is None else named in work.accredited
    return claim_rules.support(policy, submitted, assessment.approved_at or assessment.decided_at, resident=resident)


def community_of(event: ClaimSubmitted, assessment: Assessment, shelf: Shelf) -> str | None:
    """Return the community that a claim is made from: by its own word, else its application's; None if none counts."""
    submitted = assessment.submitted
    policy = shelf.find(*assessment.version, submitted.submitted_at).policy
    if COMMUNITY not in facts_needed(policy):
        return None
    return str(event.details.get(COMMUNITY, submitted.request.details.get(COMMUNITY, "")))


def _policy_of(event: ClaimSubmitted, work: WorkingSet) -> Policy | None:
    assessment = work.assessments.get(event.application_id)
    if assessment is None:
        return None
    return work.shelf.find(*assessment.version, assessment.submitted.submitted_at).policy


def _acceptance(event: ClaimSubmitted, policy: Policy, now: datetime) -> Task:
    return Task(
        task_id=uuid7(),
        kind="acceptance",
        application_id=event.application_id,
        claim_id=event.claim_id,
        scheme=event.scheme,
        applicant=event.applicant,
        opened_at=now,
        due_at=now + policy.clocks.officer.within,
    )


def verified(event: ClaimSubmitted, result: Verification, now: datetime) -> ClaimVerified:
    """Return what is told of a claim that counts."""
    return ClaimVerified(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        claim_id=event.claim_id,
        award_id=event.award_id,
        eligible=result.eligible,
        reasons=result.reasons,
        submitted_at=event.submitted_at,
    )


def rejected(event: ClaimSubmitted, result: Verification, now: datetime) -> ClaimRejected:
    """Return what is told of a claim that does not."""
    return ClaimRejected(
        occurred_at=now,
        application_id=event.application_id,
        scheme=event.scheme,
        applicant=event.applicant,
        claim_id=event.claim_id,
        award_id=event.award_id,
        reasons=result.reasons,
    )
