"""A submission: whether an application may be handed in under a policy, and what the others are told of it."""

from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.common import Company, Request
from contracts.events import ApplicationSubmitted
from contracts.policy import Policy
from intake import forms, persons, rules
from intake.documents import references
from intake.documents.references import Known
from intake.records import Application

_OF_COMPANY: Final = ("uscc", "name", "district", "registered_on", "chain", "headcount", "opc")


def check(policy: Policy, body: dict[str, Any], known: Known, now: datetime) -> None:
    """Raise a Refusal that names the field and the cure, unless it may be submitted at ``now``."""
    rules.check_submittable(policy, body, now)
    forms.check(policy, body["request"]["details"])
    references.check_evidence(policy, known, body["documents"])


def told(application: Application, known: Known, now: datetime) -> ApplicationSubmitted:
    """Return the event. Whom officers may ask (the contact) stays here; the account goes on sealed."""
    applicant = application.body["applicant"]
    company = {name: applicant[name] for name in _OF_COMPANY}
    return ApplicationSubmitted(
        occurred_at=now,
        application_id=application.application_id,
        scheme=application.scheme,
        applicant=application.applicant,
        number=application.number,
        district=application.district,
        policy_version=application.policy_version,
        company=msgspec.convert({**company, "account": persons.told(applicant["account"])}, Company),
        request=_request(application.body["request"]),
        documents=references.told(known, application.body["documents"]),
        submitted_at=now,
    )


def _request(sent: dict[str, Any]) -> Request:
    """Return the request as others are told. Where no money is asked for, it is an amount of zero."""
    money = sent.get("money") or {"amount": 0, "currency": "CNY"}
    return msgspec.convert({**sent, "money": money}, Request)
