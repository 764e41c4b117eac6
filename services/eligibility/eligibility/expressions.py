"""Criteria are written in CEL, a standard expression language that can neither loop for ever nor reach outside.

Compiled once per policy version. What is wrong with an expression is found when its policy is published: by parsing
it, by the names it uses, and by evaluating it on sample facts of both kinds (found and not found).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import cel

from contracts.policy import Criterion, Policy
from eligibility.rules import REGISTERS, Rulebook, Variables

DECLARED: Final = frozenset({*REGISTERS, "request", "company"})

# The library has no class of its own for "this expression can't be evaluated here".
_CAN_NOT_TELL: Final = (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)
_BOUND_BY_MACRO: Final = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")

_COMPANY: Final = {
    "uscc": "91440300MA5FXXXX0T",
    "name": "示例",
    "district": "nanshan",
    "registered_on": "2024-05-06",
    "chain": "models",
    "headcount": 12,
    "opc": False,
    "account": {"name": "示例", "account": "0", "bank_code": "0"},
}
_REQUEST: Final = {
    "money": {"amount": 100, "currency": "CNY"},
    "contract": {
        "number": "1",
        "provider": "91440300MA5FXXXX0T",
        "signed_on": "2026-01-10",
        "starts_on": "2026-02-01",
        "ends_on": "2026-12-31",
        "money": {"amount": 100, "currency": "CNY"},
    },
    "details": {},
}
_ALONE: Final = {"group": "91440300MA5FXXXX0T", "members": ["91440300MA5FXXXX0T"]}
_FOUND: Final = {
    "business_registration": {"found": True, "status": "active", "registered_on": "2024-05-06", "district": "nanshan"},
    "credit_record": {"blacklisted": False},
    "related_companies": _ALONE,
    "provider": {
        "listed": True,
        "services": ["compute"],
        "listed_from": "2024-01-01",
        "listed_until": "2030-12-31",
    },
}
_NOT_FOUND: Final = {
    "business_registration": {"found": False},
    "credit_record": {"blacklisted": True},
    "related_companies": _ALONE,
    "provider": {"listed": False, "services": []},
}
_SAMPLES: Final = tuple({**facts, "request": _REQUEST, "company": _COMPANY} for facts in (_FOUND, _NOT_FOUND))


def compile_policy(policy: Policy) -> Rulebook:
    """Return the policy ready to decide with; raise ValueError, naming the criterion, when an expression is wrong."""
    programs = {criterion.id: _compile(criterion) for criterion in policy.criteria}

    def evaluate(variables: Variables) -> Mapping[str, bool | None]:
        try:
            context = cel.Context(dict(variables))
        except _CAN_NOT_TELL:
            return dict.fromkeys(programs)
        return {name: _holds(program, context) for name, program in programs.items()}

    return Rulebook(policy, evaluate)


def complaints(policy: Policy) -> list[str]:
    """Return what is wrong with the policy's expressions, one line each; nothing when it may be published."""
    return [said for criterion in policy.criteria for said in _complaints(criterion)]


def _compile(criterion: Criterion) -> cel.Program:
    try:
        return cel.compile(criterion.expression)
    except ValueError as error:
        raise ValueError(f"criterion {criterion.id}: {_first_line(error)}") from error


def _holds(program: cel.Program, context: cel.Context) -> bool | None:
    """Evaluate one criterion; what is no truth value, or can't be evaluated on these facts, is not known."""
    try:
        value = program.execute(context)
    except _CAN_NOT_TELL:
        return None
    return value if isinstance(value, bool) else None


def _complaints(criterion: Criterion) -> Iterable[str]:
    try:
        program = _compile(criterion)
    except ValueError as error:
        yield str(error)
        return
    named = set(program.variables()) - set(_BOUND_BY_MACRO.findall(criterion.expression))
    for name in sorted(named - DECLARED):
        yield f"criterion {criterion.id}: nothing is called {name}; there are {', '.join(sorted(DECLARED))}"
    for fact in sorted((named & set(REGISTERS)) ^ set(criterion.facts)):
        yield f"criterion {criterion.id}: facts must list exactly the registers that it names, not so with {fact}"
    yield from _sample_complaints(criterion, program)


def _sample_complaints(criterion: Criterion, program: cel.Program) -> Iterable[str]:
    for sample in _SAMPLES:
        said = _trial(program, sample)
        if said is not None:
            yield f"criterion {criterion.id}: {said}"
            return


def _trial(program: cel.Program, sample: Mapping[str, Any]) -> str | None:
    try:
        value = program.execute(dict(sample))
    except LookupError as error:
        return f"a sample has no field {error}"
    except _CAN_NOT_TELL as error:
        return _first_line(error)
    return None if isinstance(value, bool) else f"gives {type(value).__name__}, not true or false"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
