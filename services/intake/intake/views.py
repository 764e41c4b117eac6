"""Rows as the portal reads them (contract.md, section 2). Money is {amount, currency}; texts are in both languages."""

from collections.abc import Iterable
from typing import Any, Final

from contracts.codec import to_builtins
from contracts.policy import Policy
from intake import persons, recoveries, waits
from intake.records import NEW_AWARD, Application, Claim, Document, Happening
from intake.recoveries import Recovery

_AWARD_MONEY: Final = ("awarded", "claimed", "paid", "rest", "released", "recovered", "outstanding")


def application(record: Application, claims: Iterable[Claim], contact: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the whole state of an application, with its ``contact`` in clear for whoever sent it, else masked."""
    return {
        "application_id": record.application_id,
        "number": record.number,
        "scheme": record.scheme,
        "status": record.status,
        "applicant": persons.shown(record.body["applicant"], contact),
        "request": record.body["request"],
        "documents": record.body["documents"],
        "policy_version": record.policy_version,
        "provisional": record.provisional,
        "created_at": record.created_at,
        "submitted_at": record.submitted_at,
        "updated_at": record.updated_at,
        "erased_at": record.body.get("erased_at"),
        "version": record.version,
        "waiting_for": _waiting_for(record),
        "clarification": _clarification(record),
        "decision": _decision(record),
        "appeal": _appeal(record),
        "award": award(record),
        "claims": [claim(found) for found in claims],
        "recoveries": [recovery(demand) for demand in recoveries.demanded(record)],
    }


def award(record: Application) -> dict[str, Any] | None:
    """Return the award of an application, or None."""
    if record.award is None:
        return None
    shown = NEW_AWARD | record.award | {"outstanding": recoveries.outstanding(record)}
    return {name: money(value) if name in _AWARD_MONEY else value for name, value in shown.items()}


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
        "netted": money(record.netted),
        "payment": record.payment,
        "waiting_for": _wait(wait, record) if (wait := waits.of_claim(record)) else None,
        "reasons": record.reasons or [],
    }


def recovery(demand: Recovery) -> dict[str, Any]:
    """Return a demand to pay money back. What came back (``received``) includes what was ``netted``."""
    return {
        "recovery_id": demand.recovery_id,
        "award_id": demand.award_id,
        "money": money(demand.money),
        "reason": demand.reason,
        "due_at": demand.due_at,
        "status": demand.status,
        "received": money(demand.received),
        "netted": money(demand.netted),
        "written_off": money(demand.written_off),
        "outstanding": money(demand.outstanding),
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
        "tiers": to_builtins(policy.tiers),
        "most": to_builtins(policy.most),
        "cap": to_builtins(policy.cap),
        "envelope": to_builtins(policy.envelope),
        "districts": policy.districts,
        "windows": to_builtins(policy.windows),
        "contract": policy.contract,
        "review": to_builtins(policy.review),
        "claims": to_builtins(policy.claims),
        "validity_months": policy.validity_months,
        "evidence": to_builtins(policy.evidence),
        "form": policy.form,
    }


def money(amount: int | None) -> dict[str, Any] | None:
    """Return fen as the contract's money, None as None."""
    return None if amount is None else {"amount": amount, "currency": "CNY"}


def _waiting_for(record: Application) -> dict[str, Any] | None:
    wait = waits.of_application(record)
    if wait is None:
        return None
    waiting = _wait(wait, record)
    match wait.kind:
        case "clarification":
            return waiting | {"what": record.progress["clarification"]["question"]}
        case "registers" if "review" not in record.progress:  # an appeal was upheld of what never waited
            return waiting
        case "registers" | "officer" | waits.PANEL | waits.PUBLIC_NOTICE:
            review = record.progress["review"]
            return waiting | {"who": review["holder"], "what": review["what"]}
        case waits.MONEY:
            waitlisted = record.progress["waitlisted"]
            return waiting | {"short_of": waitlisted["short_of"], "on_hold": waitlisted.get("on_hold", False)}
        case waits.RECOVERY:
            return waiting | {"outstanding": money(recoveries.outstanding(record))}
        case _:
            return waiting


def _wait(wait: waits.Wait, record: waits.Waiting) -> dict[str, Any]:
    return {
        "who": wait.who,
        "what": to_builtins(wait.what),
        "since": record.waits_since,
        "due": record.due_at,
        "overdue": record.missed_at is not None,
    }


def _decision(record: Application) -> dict[str, Any] | None:
    decision, refused = record.decision, record.progress.get("refused")
    if decision is None and refused is None:
        return None
    decision = decision or {"outcome": "approved", "approved": None, "reasons": []}
    if refused is not None:
        return {"outcome": "rejected", "approved": None, "reasons": [*decision["reasons"], *refused["reasons"]]}
    return _shown(decision)


def _clarification(record: Application) -> dict[str, Any] | None:
    asked: dict[str, Any] | None = record.progress.get("clarification")
    return {"answer": None, "answered_at": None} | asked if asked else None


def _appeal(record: Application) -> dict[str, Any] | None:
    """Return the appeal; of one that was upheld, with the decision that it was lodged against."""
    appeal: dict[str, Any] | None = record.progress.get("appeal")
    if appeal is None:
        return None
    against = appeal.get("appealed_against")
    shown = {"decided_at": None, "upheld": None, "reasons": []} | appeal
    return shown | {"appealed_against": _shown(against) if against else None}


def _shown(decision: dict[str, Any]) -> dict[str, Any]:
    return {**decision, "approved": money(decision["approved"])}


def document(record: Document) -> dict[str, Any]:
    """Return what is known of a document. What a scanner found is for operators."""
    return {
        "document_id": record.document_id,
        "kind": record.kind,
        "name": record.name,
        "media_type": record.media_type,
        "size": record.size,
        "sha256": record.sha256,
        "uploaded_at": record.uploaded_at,
        "status": "erased" if record.erased_at else "stored" if record.finding is None else "quarantined",
        "confirmed_by": record.confirmed_by,
        "confirmed_at": record.confirmed_at,
        "erased_at": record.erased_at,
    }
