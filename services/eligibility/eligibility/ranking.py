"""A ranking call (jiebang guashuai): scores to an order, an order to sums from the top until the budget ends. Pure.

Nothing is rounded: every application has the same number of scores, so their sum orders as their average does. Ties
are broken by what the policy publishes, at last by a lot that anybody can draw again: a hash of the call and the
application.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, Final
from uuid import UUID

import msgspec

from contracts.common import Reason, Text
from contracts.policy import Ranking
from eligibility import texts

FACT: Final = "ranking"


@dataclass(frozen=True, slots=True)
class Entry:
    """An application in a call: the sum that the policy gives it (fen), and its scores by panellist."""

    application_id: UUID
    computed: int
    submitted_at: datetime
    scores: Mapping[str, int]


class Placed(msgspec.Struct, frozen=True):
    """Where an application ended: its place from 1, its points in all, and what it is given (fen).

    ``outliers`` are the panellists whose score lies far from the median: shown, and counted all the same.
    """

    application_id: UUID
    rank: int
    of: int
    points: int
    allocated: int
    above_threshold: bool
    outliers: tuple[str, ...] = ()


def missing(rules: Ranking, entries: Iterable[Entry]) -> dict[UUID, int]:
    """Return how many scores each application still needs; nothing when the call can be ranked."""
    lacking = {entry.application_id: rules.panel - len(entry.scores) for entry in entries}
    return {key: count for key, count in lacking.items() if count > 0}


def rank(rules: Ranking, call: str, entries: Iterable[Entry]) -> list[Placed]:
    """Return all applications of a call from the best to the last, with what each is given.

    Funded from the top: the first that the budget does not cover gets the rest, where the policy says ``partial``;
    nobody behind it gets anything, so that no worse one is preferred to a better one for being cheaper.
    """
    ordered = sorted(entries, key=lambda entry: (-sum(entry.scores.values()), *_tie(rules, call, entry)))
    left, open_, placed = rules.budget.amount, True, []
    for place, entry in enumerate(ordered, start=1):
        points = sum(entry.scores.values())
        enough = points >= rules.threshold * rules.panel
        given = entry.computed if open_ and enough and entry.computed <= left else 0
        if open_ and enough and entry.computed > left:
            given, open_ = (left if rules.last == "partial" else 0), False
        left -= given
        outliers = _outliers(rules, entry.scores)
        placed.append(Placed(entry.application_id, place, len(ordered), points, given, enough, outliers))
    return placed


def reason(fact: Mapping[str, Any] | None) -> Reason:
    """Return the ranking's part of a decision, in the applicant's words."""
    if fact is None:
        return Reason("ranking", "ranking", "unknown", texts.WAITING_FOR_PANEL)
    place = msgspec.convert(fact, Placed)
    words = Text(
        f"专家评分总分{place.points}，在{place.of}个申请中排名第{place.rank}。",
        f"The panel gave it {place.points} points: number {place.rank} of {place.of}.",
    )
    if place.allocated:
        return Reason("ranking", "ranking", "met", words)
    why = texts.BELOW_LINE if place.above_threshold else texts.BELOW_THRESHOLD
    return Reason("ranking", "ranking", "not_met", Text(words.zh + why.zh, f"{words.en} {why.en}"))


def allocated(fact: Mapping[str, Any]) -> int:
    return int(fact["allocated"])


def _tie(rules: Ranking, call: str, entry: Entry) -> tuple[Any, ...]:
    keys = {
        "smaller_request": entry.computed,
        "earlier_submission": entry.submitted_at,
        "lot": lot(call, entry.application_id),
    }
    return *(keys[tie] for tie in rules.ties), lot(call, entry.application_id)


def lot(call: str, application_id: UUID) -> str:
    """Return the lot of an application: the SHA-256 of the call's name and its id. The lowest is drawn first."""
    return hashlib.sha256(f"{call}/{application_id}".encode()).hexdigest()


def _outliers(rules: Ranking, scores: Mapping[str, int]) -> tuple[str, ...]:
    if rules.outlier is None or not scores:
        return ()
    middle = median(scores.values())
    return tuple(sorted(name for name, score in scores.items() if abs(score - middle) >= rules.outlier))
