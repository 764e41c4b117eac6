"""Expressions are written in CEL, a standard expression language that can neither loop for ever nor reach outside.

Compiled once per policy version. What is wrong with an expression is found when its policy is published: by parsing
it, by looking up each name and field that it uses, and by evaluating it on samples of every answer (``vocabulary``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cel

from contracts.policy import Policy
from eligibility.rules import FACTS, Rulebook, Variables, tier_name
from eligibility.vocabulary import DECLARED, samples, shape

# The library has no class of its own for "this expression can't be evaluated here".
_CAN_NOT_TELL: Final = (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError)
_BOUND_BY_MACRO: Final = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")
_STRINGS: Final = re.compile(r"""r?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_PATHS: Final = re.compile(r"(?<![\w.\"'])([a-z_]\w*)((?:\.[A-Za-z_]\w*)+)(\s*\()?")


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of a policy: its place in the document, and the register facts that its owner lists."""

    place: str
    name: str
    text: str
    facts: tuple[str, ...]

    @property
    def field(self) -> str:
        return self.place.rsplit(".", 1)[0]


def expressions_of(policy: Policy) -> list[Expression]:
    """Return the criteria's and the tiers' expressions."""
    criteria = [
        Expression(f"$.criteria[{place}].expression", criterion.id, criterion.expression, criterion.facts)
        for place, criterion in enumerate(policy.criteria)
    ]
    tiers = [
        Expression(f"$.tiers[{place}].when", tier_name(tier.id), tier.when or "true", tier.facts)
        for place, tier in enumerate(policy.tiers)
    ]
    return criteria + tiers


def compile_policy(policy: Policy) -> Rulebook:
    """Return the policy ready to decide with; raise ValueError, naming the place, when an expression is wrong."""
    programs = {one.name: _compile(one) for one in expressions_of(policy)}

    def evaluate(variables: Variables) -> Mapping[str, bool | None]:
        try:
            context = cel.Context(dict(variables))
        except _CAN_NOT_TELL:
            return dict.fromkeys(programs)
        return {name: _holds(program, context) for name, program in programs.items()}

    return Rulebook(policy, evaluate)


def complaints(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the policy's expressions: its place in the document, and words."""
    for one in expressions_of(policy):
        yield from _complaints(one, policy)


def _compile(one: Expression) -> cel.Program:
    try:
        return cel.compile(one.text)
    except ValueError as error:
        raise ValueError(f"{one.place}: {_first_line(error)}") from error


def _holds(program: cel.Program, context: cel.Context) -> bool | None:
    """Evaluate one expression; what is no truth value, or can't be evaluated on these facts, is not known."""
    try:
        value = program.execute(context)
    except _CAN_NOT_TELL:
        return None
    return value if isinstance(value, bool) else None


def _complaints(one: Expression, policy: Policy) -> Iterator[tuple[str, str]]:
    try:
        program = cel.compile(one.text)
    except ValueError as error:
        yield one.place, _first_line(error)
        return
    named = set(program.variables()) - set(_BOUND_BY_MACRO.findall(one.text))
    for name in sorted(named - DECLARED):
        yield one.place, f"nothing is called {name}; there are {', '.join(sorted(DECLARED))}"
    for fact in sorted((named & set(FACTS)) ^ set(one.facts)):
        yield f"{one.field}.facts", f"must list exactly the registers that the expression names, not so with {fact}"
    yield from ((one.place, said) for said in _unknown_fields(one.text, shape(policy)))
    said = next((said for sample in samples(policy) if (said := _trial(program, sample))), None)
    if said is not None:
        yield one.place, said


def _unknown_fields(text: str, known: Mapping[str, Any]) -> Iterator[str]:
    """Look up each chain of fields, also one that evaluation would not reach because another operand decides."""
    for root, chain, called in _PATHS.findall(_STRINGS.sub('""', text)):
        value: Any = known.get(root)
        fields = chain.lstrip(".").split(".")
        for field in fields[:-1] if called else fields:
            if not isinstance(value, Mapping):
                break
            if field not in value:
                yield f"{root} has no field {field}; there are {', '.join(sorted(value)) or 'none'}"
                break
            value = value[field]


def _trial(program: cel.Program, sample: Mapping[str, Any]) -> str | None:
    try:
        value = program.execute(dict(sample))
    except LookupError as error:
        return f"a sample has no field {error}: ask whether it is there first, as in has(...) or provider.listed && ..."
    except _CAN_NOT_TELL as error:
        return _first_line(error)
    return None if isinstance(value, bool) else f"gives {type(value).__name__}, not true or false"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
