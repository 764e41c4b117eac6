"""What is said of an application after its submission: questions to the applicant, answers, objections, doubts. Pure.

It enters a decision as the fact ``statements``. Persons judge on it with the others, so that votes given before
something was said do not count any more (domain.md, rule 7), and a later replay hears it again.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from contracts.codec import to_builtins
from contracts.common import Text

FACT: Final = "statements"
_SAID: Final = "said"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement: an officer's question (in both languages), the applicant's answer, an objection, or why an
    officer wants what was decided to be decided anew."""

    kind: Literal["question", "answer", "objection", "reassessment"]
    by: str
    words: Text | str
    at: datetime


def fact_of(statements: Iterable[Statement]) -> dict[str, Any]:
    """Return the fact that these statements are, in their order."""
    return {_SAID: to_builtins(list(statements))}


def said_in(facts: Mapping[str, Mapping[str, Any]]) -> tuple[Statement, ...]:
    """Return the statements that are among the facts."""
    return msgspec.convert(facts.get(FACT, {}).get(_SAID, ()), tuple[Statement, ...])


def open_question(facts: Mapping[str, Mapping[str, Any]]) -> Statement | None:
    """Return the question that the applicant has not answered yet, or None."""
    asked: Statement | None = None
    for statement in said_in(facts):
        match statement.kind:
            case "question":
                asked = statement
            case "answer":
                asked = None
    return asked


def doubted_since(facts: Mapping[str, Mapping[str, Any]], moment: datetime) -> bool:
    """Return whether an officer wanted it decided anew after this moment."""
    return any(statement.kind == "reassessment" and statement.at > moment for statement in said_in(facts))
