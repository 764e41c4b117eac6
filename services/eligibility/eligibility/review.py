"""What the votes of persons amount to, under a policy's rules of review. Pure: votes and a time in, a standing out.

Votes enter a decision as the fact ``review``, frozen with the others, so that it can be run again years later.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from contracts.common import Outcome, Reason, Text
from contracts.policy import Review
from eligibility import texts

FACT: Final = "review"
_NOT_SEEN: Final = "asked_at"  # when a register was asked is nothing that a person judges


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """What one person decided, on which facts (their hash). ``amount`` (fen) is set where it is less than computed."""

    officer: str
    approve: bool
    amount: int | None = None
    reasons: Text
    at: datetime
    facts: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a review stands: what it came to, the amount (fen), how many votes it takes, and until when it waits."""

    outcome: Literal["open", "public_notice", "approved", "rejected"]
    amount: int
    needed: int
    counted: tuple[Vote, ...]
    until: datetime | None = None


def hash_of(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the SHA-256 of what a person saw: the registers' answers, whenever they were asked."""
    seen = {
        name: {field: value for field, value in fact.items() if field != _NOT_SEEN}
        for name, fact in facts.items()
        if name != FACT
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def votes_in(facts: Mapping[str, Mapping[str, Any]]) -> tuple[Vote, ...]:
    """Return the votes that are among the facts."""
    return msgspec.convert(facts.get(FACT, {}).get("votes", ()), tuple[Vote, ...])


def standing(rules: Review, computed: int, votes: Iterable[Vote], seen: str, now: datetime) -> Standing:
    """Return where the review stands.

    A vote on other facts than those that count now (``seen``) is void: what changed after an approval voids it
    (domain.md, rule 7). The amount is the least that an approving person named, never above ``computed``.
    """
    counted = tuple(vote for vote in votes if vote.facts == seen)
    approving = [vote for vote in counted if vote.approve]
    amount = min([computed, *(vote.amount for vote in approving if vote.amount is not None)])
    needed = rules.votes + (rules.second_above is not None and amount > rules.second_above.amount)
    outcome = _outcome(rules, needed, len(approving), len(counted))
    if outcome != "approved" or not rules.public_notice_days:
        return Standing(outcome, amount, needed, counted)
    until = max(vote.at for vote in counted) + timedelta(days=rules.public_notice_days)
    return Standing("approved" if now >= until else "public_notice", amount, needed, counted, until)


def _outcome(rules: Review, needed: int, approving: int, voted: int) -> Literal["open", "approved", "rejected"]:
    """All have to approve, so one who does not decides; a majority is found when all have voted, and a tie rejects."""
    if rules.needed == "all":
        if voted > approving:
            return "rejected"
        return "approved" if approving >= needed else "open"
    if voted < needed:
        return "open"
    return "approved" if 2 * approving > voted else "rejected"


def reasons(rules: Review, found: Standing) -> Sequence[Reason]:
    """Return the review's part of a decision, in the applicant's words."""
    if found.outcome == "rejected":
        against = next(vote for vote in found.counted if not vote.approve)
        return [Reason("review", "review", "not_met", against.reasons)]
    voted = Reason("review", "review", "unknown" if found.outcome == "open" else "met", _voted(rules, found))
    if not rules.public_notice_days or found.outcome == "open":
        return [voted]
    shown: Outcome = "unknown" if found.outcome == "public_notice" else "met"
    return [voted, Reason("public-notice", "review.public_notice_days", shown, _shown(found))]


def _voted(rules: Review, found: Standing) -> Text:
    if found.outcome != "open":
        return texts.REVIEWED
    done, needed = len(found.counted), found.needed
    return Text(f"人工审核中（{done}/{needed}）。", f"Persons review it; {done} of {needed} have decided.")


def _shown(found: Standing) -> Text:
    if found.outcome == "approved":
        return texts.SHOWN_IN_PUBLIC
    assert found.until is not None, "a notice has an end"
    day = found.until.date().isoformat()
    return Text(f"公示中，至{day}。", f"It is shown in public until {day}.")
