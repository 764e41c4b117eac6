"""Rows as the portal reads them (contract.md, section 2). Money is {amount, currency}; texts are in both languages."""

from collections.abc import Iterable
from typing import Any, Final

from contracts.codec import to_builtins
from contracts.common import Text
from contracts.policy import Policy
from intake.records import Application, Claim, Happening

_WAITING: Final[dict[str, tuple[str, Text]]] = {
    "draft": ("applicant", Text(zh="申请尚未提交", en="The draft has not been submitted")),
    "submitted": ("eligibility", Text(zh="等待审核", en="Waits to be assessed")),
    "in_review": ("officer", Text(zh="人工审核中", en="Waits for an officer")),
    "approved": ("disbursement", Text(zh="等待拨付额度", en="Waits for its award")),
    "waitlisted": (
        "disbursement",
        Text(zh="预算不足，按提交时间候补", en="Waits in line for money"),
    ),
}
_AWARD_MONEY: Final = ("awarded", "claimed", "paid", "rest")


def application(record: Application, claims: Iterable[Claim]) -> dict[str, Any]:
    """Return the whole state of an application."""
    return {
        "application_id": record.application_id,
        "number": record.number,
        "scheme": record.scheme,
        "status": record.status,
        "applicant": record.body["applicant"],
        "request": record.body["request"],
        "documents": record.body["documents"],
        "policy_version": record.policy_version,
        "provisional": record.provisional,
        "created_at": record.created_at,
        "submitted_at": record.submitted_at,
        "updated_at": record.updated_at,
        "version": record.version,
        "waiting_for": _waiting_for(record),
        "decision": _decision(record),
        "award": award(record),
        "claims": [claim(found) for found in claims],
    }


def award(record: Application) -> dict[str, Any] | None:
    """Return the award of an application, or None."""
    if record.award is None:
        return None
    return {name: money(value) if name in _AWARD_MONEY else value for name, value in record.award.items()}


def claim(record: Claim) -> dict[str, Any]:
    """Return the state of a claim."""
    return {
        "claim_id": record.claim_id,
        "award_id": record.award_id,
        "application_id": record.application_id,
        "status": record.status,
        "invoices": record.body["invoices"],
        "usage": record.body["usage"],
        "submitted_at": record.submitted_at,
        "eligible": money(record.eligible),
        "payable": money(record.payable),
        "payment": record.payment,
        "reasons": record.reasons or [],
    }


def happening(record: Happening) -> dict[str, Any]:
    """Return a line of the timeline."""
    return {"at": record.at, "type": record.type, "claim_id": record.claim_id, "data": record.data}


def scheme(policy: Policy) -> dict[str, Any]:
    """Return what the portal needs to offer a scheme: rule, window, evidence, form."""
    return {
        "scheme": policy.scheme,
        "version": policy.version,
        "provisional": policy.provisional,
        "title": to_builtins(policy.title),
        "rule": to_builtins(policy.rule),
        "pool": policy.pool,
        "kind": policy.kind,
        "rate_basis_points": policy.rate,
        "cap": to_builtins(policy.cap),
        "envelope": to_builtins(policy.envelope),
        "districts": policy.districts,
        "windows": to_builtins(policy.windows),
        "validity_months": policy.validity_months,
        "evidence": to_builtins(policy.evidence),
        "form": policy.form,
    }


def money(amount: int | None) -> dict[str, Any] | None:
    """Return fen as the contract's money, None as None."""
    return None if amount is None else {"amount": amount, "currency": "CNY"}


def _waiting_for(record: Application) -> dict[str, Any] | None:
    if record.status == "assessing":
        review = record.progress["review"]
        return {"who": review["holder"], "what": review["what"], "since": review["since"], "due": None}
    if record.status not in _WAITING:
        return None
    who, what = _WAITING[record.status]
    waitlisted = record.progress.get("waitlisted", {})
    since = waitlisted.get("since") or record.submitted_at or record.created_at
    more = {"short_of": waitlisted["short_of"]} if record.status == "waitlisted" else {}
    return {"who": who, "what": to_builtins(what), "since": since, "due": None, **more}


def _decision(record: Application) -> dict[str, Any] | None:
    decision, refused = record.decision, record.progress.get("refused")
    if decision is None and refused is None:
        return None
    decision = decision or {"outcome": "approved", "approved": None, "reasons": []}
    if refused is not None:
        return {"outcome": "rejected", "approved": None, "reasons": [*decision["reasons"], *refused["reasons"]]}
    return {**decision, "approved": money(decision["approved"])}
