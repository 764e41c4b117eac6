"""A claim is taken in: checked against its award, its invoices taken so that they count in no other."""

from typing import Any
from uuid import UUID

import msgspec

from contracts.common import Invoice, Usage
from contracts.events import ClaimSubmitted
from intake import rules, views
from intake.desk import Desk
from intake.documents import references
from intake.records import Application, Claim
from kit.idempotency import Answer, Key
from kit.identifiers import uuid7


class CreateClaim(msgspec.Struct, frozen=True, kw_only=True):
    """Claim against an award. ``body`` is the checked JSON."""

    key: Key | None
    traceparent: str | None
    client: str
    award_id: UUID
    body: dict[str, Any]


def create_claim(desk: Desk, command: CreateClaim) -> Answer:
    """Take in a claim; answer 201 with its state. An invoice that counts in another claim is refused."""
    application = next((found for found in desk.applications.values() if found.award_id == command.award_id), None)
    if application is None or application.client != desk.client:
        raise rules.not_found("award", command.award_id)
    policy = desk.policies[application.scheme][application.policy_version]
    rules.check_claimable(application, policy, command.body, desk.now)
    for position, invoice in enumerate(command.body["invoices"]):
        if (invoice["seller"], invoice["number"]) in desk.invoices:
            raise rules.invoice_already_claimed(position, invoice["number"])
    usage = command.body["usage"]
    references.check(desk.evidence, command.body["documents"], usage["statement"] if usage else None)
    if usage and usage["statement"]:
        statement = desk.evidence[UUID(usage["statement"])]
        rules.check_statement(policy, application.body["request"].get("contract"), statement.confirmed_by)
    claim = Claim(
        claim_id=uuid7(),
        application_id=application.application_id,
        award_id=command.award_id,
        applicant=application.applicant,
        status="submitted",
        body=command.body,
        submitted_at=desk.now,
        updated_at=desk.now,
    )
    desk.add(claim)
    desk.take_invoices(claim)
    desk.change(application)
    desk.note(application, ClaimSubmitted.TYPE, desk.now, claim.claim_id)
    desk.say(_submitted_claim(desk, application, claim))
    content = msgspec.json.encode(views.claim(claim))
    return Answer(201, content, {"location": f"/v1/claims/{claim.claim_id}"})


def _submitted_claim(desk: Desk, application: Application, claim: Claim) -> ClaimSubmitted:
    return ClaimSubmitted(
        occurred_at=desk.now,
        application_id=application.application_id,
        scheme=application.scheme,
        applicant=application.applicant,
        district=application.district,
        claim_id=claim.claim_id,
        award_id=claim.award_id,
        invoices=msgspec.convert(claim.body["invoices"], tuple[Invoice, ...]),
        usage=msgspec.convert(claim.body["usage"], Usage | None),
        milestone=claim.body["milestone"],
        documents=references.told(desk.evidence, references.named_in(claim.body)),
        details=claim.body["details"],
        submitted_at=desk.now,
    )
