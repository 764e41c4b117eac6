"""What an application under assessment waits for, and until when. Pure: the time is handed in."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from contracts.policy import Clocks
from eligibility.records import Assessment

KINDS: Final = ("decision", "registers", "officer")
PANEL: Final = "panel"  # until the call has closed and is ranked: its own dates say when
PUBLIC_NOTICE: Final = "public_notice"  # ends by itself, on the day that its policy sets: it needs no other clock
APPLICANT: Final = "applicant"  # intake, which they answer to, keeps the clock of their answer


def kind_of(assessment: Assessment) -> str | None:
    """Return the clock of the policy that runs for an assessment, or None when it waits for nothing."""
    match assessment.status:
        case "pending":
            return "decision"
        case "waiting" if assessment.waits_for not in (PUBLIC_NOTICE, PANEL, APPLICANT):
            return assessment.waits_for
        case _:
            return None


def holder(assessment: Assessment, missing: Collection[str]) -> str:
    """Return who has to act: the registers while facts are missing, but once an officer holds it, the officer."""
    return "registers" if missing and assessment.waits_for != "officer" else "officer"


def begin(assessment: Assessment, clocks: Clocks, now: datetime) -> None:
    """Start the clock of what the assessment waits for, which is new, and stop the one before.

    An officer's clock that stood still while the applicant was asked goes on with what it had left.
    """
    kind = kind_of(assessment)
    assessment.due_at = now + getattr(clocks, kind).within if kind else None
    if kind == "officer" and assessment.left_seconds is not None:
        assessment.due_at = now + timedelta(seconds=assessment.left_seconds)
        assessment.left_seconds = None
    assessment.missed_at = None


def pause(assessment: Assessment, now: datetime) -> None:
    """Stop the officer's clock while the applicant answers; what it has left is kept."""
    if assessment.due_at is not None:
        assessment.left_seconds = max(0.0, (assessment.due_at - now).total_seconds())
    assessment.waits_for, assessment.due_at, assessment.missed_at = APPLICANT, None, None


def is_missed(assessment: Assessment, now: datetime) -> bool:
    """Return whether the deadline has passed and nobody has acted on that yet."""
    return assessment.due_at is not None and assessment.due_at <= now and assessment.missed_at is None
