"""Where an application stands, from what three services said about it in any order.

A topic keeps one application's order, two topics do not: the award may be seen before the approval, or before the
application. So each service's last word is kept apart, what two topics count up and down is a signed sum, stamps keep
the first time, and the status is derived from all that by rank. Every interleaving ends in the same row.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec


class Application(msgspec.Struct):
    """The facts about one application. ``intake``, ``eligibility``, ``disbursement``: that service's last word.

    ``clarifications`` and ``appeals`` are asked minus answered, lodged minus decided. Amounts in fen. ``company``
    tells applicants apart and names none. ``measures`` has the whole numbers of the request's own fields, as JSON:
    what the programme's targets may add up.
    """

    application_id: UUID
    scheme: str = ""
    intake: str = ""
    eligibility: str = ""
    disbursement: str = ""
    clarifications: int = 0
    appeals: int = 0
    company: UUID | None = None
    submitted_at: datetime | None = None
    approved_at: datetime | None = None
    rejected_at: datetime | None = None
    waitlisted_at: datetime | None = None
    awarded_at: datetime | None = None
    refused_at: datetime | None = None
    withdrawn_at: datetime | None = None
    lapsed_at: datetime | None = None
    claimed_at: datetime | None = None
    paid_at: datetime | None = None
    waits_for_pool: str | None = None
    waits_for: int = 0
    awarded: int = 0
    measures: str = "{}"


class Claim(msgspec.Struct):
    """The stamps of one claim and its payment."""

    claim_id: UUID
    scheme: str = ""
    submitted_at: datetime | None = None
    instructed_at: datetime | None = None
    settled_at: datetime | None = None


_LARGEST_MEASURE: Final = 10**12  # so that a million of them are a whole number of 64 bits, whatever was sent
FUNNEL: Final = ("submitted", "decided", "awarded", "claimed", "paid")
OUTCOMES: Final = ("approved", "rejected", "waitlisted", "awarded", "refused", "withdrawn", "lapsed")


def status(application: Application) -> str:
    """Return the status in domain.md's words. The applicant's own end counts most, then money, then merit."""
    if application.intake in ("withdrawn", "lapsed"):
        return application.intake
    match application.disbursement:
        case "awarded" | "waitlisted":
            return application.disbursement
        case "refused":
            return "rejected"
        case _:
            return _merit(application)


def _merit(application: Application) -> str:
    match application.eligibility:
        case "rejected" if application.appeals > 0:
            return "in_review"
        case "clarifying" if application.clarifications <= 0:
            return "in_review"  # answered, and whoever asked has not looked yet
        case "":
            return "submitted"
        case word:
            return word


def outcomes(application: Application) -> Iterator[str]:
    """Yield what the application has ever come to: an appeal may add to it, nothing takes from it."""
    for outcome in OUTCOMES:
        if getattr(application, f"{outcome}_at") is not None:
            yield outcome


def reached(application: Application) -> Sequence[str]:
    """Return the stages of the funnel that the application has passed, whichever of them was heard of."""
    passed = (
        application.scheme,
        decided_at(application) or application.waitlisted_at or application.refused_at,
        application.awarded_at,
        application.claimed_at,
        application.paid_at,
    )
    return FUNNEL[: max((place for place, known in enumerate(passed, start=1) if known), default=0)]


def measured(details: Mapping[str, Any]) -> str:
    """Return the whole numbers among a request's own fields, as JSON; what no programme counts to is left out."""
    numbers = {name: value for name, value in details.items() if type(value) is int and 0 < value <= _LARGEST_MEASURE}
    return msgspec.json.encode(dict(sorted(numbers.items()))).decode()


def measures(application: Application) -> Mapping[str, int]:
    """Return what an awarded application adds to the programme's measures, such as square metres."""
    if application.awarded_at is None:
        return {}
    return msgspec.json.decode(application.measures, type=dict[str, int])


def waiting(application: Application) -> int:
    """Return the fen that the application waits for: nothing unless it is on the waitlist."""
    if status(application) != "waitlisted":
        return 0
    return max(0, application.waits_for - application.awarded)


def decided_at(application: Application) -> datetime | None:
    """Return the time of the first decision."""
    decisions = [moment for moment in (application.approved_at, application.rejected_at) if moment is not None]
    return min(decisions, default=None)


def stamp(row: Application | Claim, name: str, moment: datetime) -> None:
    """Keep the earliest time that something happened."""
    known: datetime | None = getattr(row, f"{name}_at")
    setattr(row, f"{name}_at", moment if known is None else min(known, moment))
