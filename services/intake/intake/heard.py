"""What the functions that hear events share: find on the desk what an event speaks of, and note that it changed."""

from typing import Any

from contracts.events import ClaimEvent
from intake import rules
from intake.desk import Desk
from intake.records import NEW_AWARD, Application, Claim
from kit.errors import PermanentError


def application_of(desk: Desk, event: Any) -> Application:
    """Return the application that an event speaks of."""
    application = desk.applications.get(event.application_id)
    if application is None:
        raise PermanentError(f"{event.TYPE} speaks of an application that intake never took in: {event.application_id}")
    return application


def claim_of(desk: Desk, event: ClaimEvent) -> Claim:
    """Return the claim that an event speaks of."""
    claim = desk.claims.get(event.claim_id)
    if claim is None:
        raise PermanentError(f"{event.TYPE} speaks of a claim that intake never took in: {event.claim_id}")
    return claim


def award_of(application: Application) -> dict[str, Any]:
    """Return the application's award. All that is told of it comes after ``award.issued``, on the same topic."""
    if application.award is None:
        raise PermanentError(f"the award of {application.application_id} is spoken of before it was issued")
    return NEW_AWARD | application.award


def changed(desk: Desk, application: Application, event: Any, **data: Any) -> None:
    """Let the application follow what it has become, and its timeline tell it."""
    desk.change(application)
    desk.note(application, event.TYPE, event.occurred_at, **data)


def advance(desk: Desk, claim: Claim, event: ClaimEvent, status: str, **data: Any) -> None:
    """Let a claim's status rise to ``status``, and the timeline tell what happened."""
    claim.status = rules.claim_status(claim.status, status)
    application = application_of(desk, event)
    desk.change(application, claim)
    desk.note(application, event.TYPE, event.occurred_at, claim.claim_id, **data)
