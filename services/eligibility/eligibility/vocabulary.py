"""What an expression may name: the declared facts with their fields, as samples of every kind that a register answers.

A policy is tried on them before it is published, and each field that an expression names is looked up in them.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from contracts.policy import Policy
from eligibility.rules import FACTS

_USCC: Final = "91440300MA5FXXXX0T"
_MONEY: Final = {"amount": 100, "currency": "CNY"}
_COMPANY: Final = {
    "uscc": _USCC,
    "name": "示例",
    "district": "nanshan",
    "registered_on": "2024-05-06",
    "chain": "models",
    "headcount": 12,
    "opc": False,
    "account": {"name": "示例", "account": "0", "bank_code": "0"},
}
_CONTRACT: Final = {
    "number": "1",
    "provider": _USCC,
    "signed_on": "2026-01-10",
    "starts_on": "2026-02-01",
    "ends_on": "2026-12-31",
    "money": _MONEY,
}
_REGISTRATION: Final = {
    "found": True,
    "status": "active",
    "registered_on": "2024-05-06",
    "district": "nanshan",
    "name": "示例",
}
_LISTED: Final = {
    "listed": True,
    "services": ["compute"],
    "listed_from": "2024-01-01",
    "listed_until": "2030-12-31",
    "name": "示例",
}
_ANSWERS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "business_registration": (_REGISTRATION, {"found": False}),
    "credit_record": ({"blacklisted": False}, {"blacklisted": True}),
    "related_companies": ({"group": _USCC, "members": [_USCC]},),
    "provider": (_LISTED, {"listed": False, "services": []}),
    "community": ({"accredited": True}, {"accredited": False}),
}

assert set(_ANSWERS) == set(FACTS)
DECLARED: Final = frozenset({*FACTS, "request", "company", "submitted_on"})


def samples(policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield the variables of sample applications under this policy, with every answer that each register gives."""
    request = _request(policy)
    for answers in product(*_ANSWERS.values()):
        facts = dict(zip(_ANSWERS, answers, strict=True))
        yield {**facts, "request": request, "company": _COMPANY, "submitted_on": "2026-03-01"}


def shape(policy: Policy) -> dict[str, Any]:
    """Return the declared facts with every field that they can have: a form's optional fields too."""
    details = {**_blank(policy.form), **_request(policy)["details"]}
    whole = {name: answers[0] for name, answers in _ANSWERS.items()}
    return {**whole, "request": {**_request(policy), "details": details}, "company": _COMPANY, "submitted_on": ""}


def _request(policy: Policy) -> dict[str, Any]:
    examples = policy.form.get("examples") or [{}]
    contract = {"contract": _CONTRACT} if policy.contract == "required" else {}
    return {"money": _MONEY, "details": examples[0], **contract}


def _blank(schema: Any) -> Any:
    """Return a value of the shape that a JSON Schema describes, as far as its ``properties`` say it."""
    if not isinstance(schema, Mapping):
        return None
    if "properties" in schema:
        return {name: _blank(inner) for name, inner in schema["properties"].items()}
    return [_blank(schema["items"])] if "items" in schema else None
