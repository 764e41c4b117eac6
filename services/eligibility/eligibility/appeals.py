"""What an appeal does to a decision. Pure: reasons and the appeal's outcome in, reasons out.

An appeal that is upheld enters the next decision as the fact ``appeal``: it names what the first decision found
wanting and what counts as met from now on. What no person can waive stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.codec import to_builtins
from contracts.common import Reason, Text
from contracts.policy import Review

FACT: Final = "appeal"

# The contract counts once (domain.md, rule 4), a sum of nothing can't be awarded, claims are measured by the contract,
# the stack limit by the support that is stated, and the call's budget was allocated to others by a published order.
BINDING: Final = frozenset(
    {"contract-already-supported", "amount-payable", "contract-given", "other-support-readable", "ranking"}
)


class Lodged(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal as it was lodged; it is decided once, by persons who had no part in the decision."""

    grounds: str
    lodged_at: datetime
    decided_at: datetime | None = None


class Upheld(msgspec.Struct, frozen=True, kw_only=True):
    """What an appeal came to: the conditions that count as met, and the most that may be approved (fen)."""

    waived: tuple[str, ...]
    amount: int
    by: tuple[str, ...]
    words: Text
    at: datetime


def seen(facts: Mapping[str, Any], lodged: Lodged) -> dict[str, Any]:
    """Return what those who decide an appeal see: the facts of the decision, and the grounds."""
    return {**facts, FACT: {"grounds": lodged.grounds}}


def review_of(rules: Review) -> Review:
    """Return who decides an appeal: one person, and a second one above the policy's threshold (domain.md, rule 7)."""
    return Review(route="persons", votes=1, second_above=rules.second_above)


def wanting(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """Return the conditions that a decision found not met."""
    return tuple(reason.code for reason in reasons if reason.outcome == "not_met")


def fact_of(upheld: Upheld) -> dict[str, Any]:
    fact: dict[str, Any] = to_builtins(upheld)
    return fact


def upheld_in(facts: Mapping[str, Mapping[str, Any]]) -> Upheld | None:
    """Return the appeal that was upheld before this decision, or None."""
    return msgspec.convert(facts[FACT], Upheld) if FACT in facts else None


def apply(reasons: Sequence[Reason], upheld: Upheld | None) -> tuple[Reason, ...]:
    """Return the reasons with what the appeal waived counted as met, in the words of those who decided it."""
    if upheld is None:
        return tuple(reasons)
    return tuple(
        Reason(reason.code, reason.clause, "met", upheld.words)
        if reason.outcome == "not_met" and reason.code in upheld.waived and reason.code not in BINDING
        else reason
        for reason in reasons
    )


def reason(words: Text, *, upheld: bool) -> Reason:
    """Return the appeal's part of a decision."""
    return Reason("appeal", "appeal", "met" if upheld else "not_met", words)
