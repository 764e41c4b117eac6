"""The bodies that the portal sends, exactly as the contract writes them."""

from typing import Any

from stack.simulators.asks import Ask, Signed
from stack.simulators.claims import ClaimPlan, InvoicePlan
from stack.simulators.population import Company

SCHEME = "compute-voucher"


def application(ask: Ask, *, submit: bool) -> dict[str, Any]:
    """Return the body of ``POST /v1/applications``."""
    return {
        "scheme": ask.wish.scheme if ask.wish else SCHEME,
        "submit": submit,
        "applicant": _applicant(ask.company),
        "request": request(ask),
        "documents": [],
    }


def request(ask: Ask) -> dict[str, Any]:
    """Return what is asked for, with the contract behind it; dates are encoded as they stand in JSON."""
    if ask.wish is not None:
        return ask.wish.request
    return {"money": money(ask.amount), "contract": contract(ask.contract), "details": {}}


def contract(signed: Signed) -> dict[str, Any]:
    """Return a signed contract as it stands in a request."""
    return {
        "number": signed.number,
        "provider": signed.provider,
        "signed_on": signed.signed_on.isoformat(),
        "starts_on": signed.starts_on.isoformat(),
        "ends_on": signed.ends_on.isoformat(),
        "money": money(signed.amount),
    }


def claim(plan: ClaimPlan) -> dict[str, Any]:
    """Return the body of ``POST /v1/awards/{award_id}/claims``."""
    if plan.body is not None:
        return plan.body
    return {
        "invoices": [_invoice(invoice) for invoice in plan.invoices],
        "usage": {
            "starts_on": plan.starts_on.isoformat(),
            "ends_on": plan.ends_on.isoformat(),
            "statement": None,
        },
        "milestone": None,
        "documents": [],
        "details": {},
    }


def _applicant(company: Company) -> dict[str, Any]:
    return {
        "uscc": company.uscc,
        "name": company.name,
        "district": company.district,
        "registered_on": company.registered_on.isoformat(),
        "chain": company.chain,
        "headcount": company.headcount,
        "opc": company.opc,
        "account": {
            "name": company.name,
            "number": company.account_number,
            "bank_code": company.bank_code,
        },
        "contact": {
            "name": "经办人",
            "email": f"office@{company.uscc.lower()}.example",
            "phone": f"0755-{80_000_000 + company.index % 10_000_000}",
        },
    }


def _invoice(invoice: InvoicePlan) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "seller": invoice.seller,
        "issued_on": invoice.issued_on.isoformat(),
        "money": money(invoice.amount),
        "tax": money(invoice.tax),
    }


def money(amount: int) -> dict[str, Any]:
    """Return fen as the contract's money."""
    return {"amount": amount, "currency": "CNY"}
